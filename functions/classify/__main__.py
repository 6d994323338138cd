"""What the container runs: load the model, then hand over to Lambda's own runtime client.

Whatever happens before the runtime client asks for its first event is Lambda's init phase, with a full processor
and up to ten seconds; so the model is loaded here and not within somebody's request.
"""

import os

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

from functions.classify.handler import container_handler

HANDLER = "functions.classify.handler.handler"


def main() -> None:
    """Serve events until Lambda stops the container."""
    container_handler().preload()
    bootstrap.run(HANDLER, LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))


if __name__ == "__main__":
    main()
