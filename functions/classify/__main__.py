"""What the container runs: load the model, then hand over to Lambda's own runtime client.

Whatever happens before the runtime client asks for its first event is Lambda's init phase, with a full processor
and up to ten seconds; so the model is loaded here and not within somebody's request. It is on its way while the rest
is imported: docs/inference.md has the times.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.classify.handler import Handler

HANDLER = "functions.classify.handler.handler"


def main() -> None:
    """Serve events until Lambda stops the container."""
    start()
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    bootstrap.run(HANDLER, LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))


def start() -> "Handler":
    """Import everything and load the model, both at once."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it asks every installed package for plugins
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy has little to do here, and waking threads takes longer
    from functions.classify.loading import Loading
    from functions.classify.settings import Settings

    loading = Loading(Settings.from_env())
    import_module("functions.classify.classifier")  # first, since the thread needs ONNX Runtime next
    import_module("awslambdaric.bootstrap")
    from functions.classify.handler import container_handler

    handler = container_handler()
    handler.preload(loading)
    return handler


if __name__ == "__main__":
    main()
