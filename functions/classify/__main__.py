"""The entry point of the container: load the model, then start Lambda's runtime client.

Everything before the runtime client asks for its first event is Lambda's init phase, which has a full processor and
up to ten seconds. So the model is loaded here and not during a request, and in a thread while the rest is imported:
docs/inference.md has the times.
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
    """Import everything, and load the model at the same time."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it searches every installed package for plugins
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy has so little work that starting threads takes longer
    from contract.onnx_runtime import disable_telemetry, import_onnxruntime
    from functions.classify.model_loader import ModelLoader
    from functions.classify.settings import Settings

    disable_telemetry()
    loader = ModelLoader(Settings.from_env())
    import_onnxruntime()  # first, because the thread needs it next
    import_module("functions.classify.classifier")
    import_module("awslambdaric.bootstrap")
    from functions.classify.handler import container_handler

    handler = container_handler()
    handler.preload(loader)
    return handler


if __name__ == "__main__":
    main()
