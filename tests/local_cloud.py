"""An AWS for the life of a model in one process: moto, the versions of the function, and CodeDeploy's stand-in.

Calls can be made to fail on their way, before or after AWS has done what they ask.
"""

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import boto3
import urllib3
from werkzeug.serving import make_server
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from contract.deployment import Deployment
from functions.classify.handler import Handler
from infra.local import cloud
from infra.local.codedeploy import CodeDeploy
from infra.local.endpoints import create_endpoints
from infra.local.gateway import Wsgi, event_of
from infra.local.versions import VersionedFunction
from tests.functions.conftest import LambdaContext, settings_for
from tests.loopback_aws import loopback_aws
from training.aws import read_deployment

LAMBDA = {
    ("PUT", r"/2015-03-31/functions/[^/]+/configuration"): "UpdateFunctionConfiguration",
    ("POST", r"/2015-03-31/functions/[^/]+/versions"): "PublishVersion",
    ("POST", r"/2015-03-31/functions/[^/]+/invocations"): "Invoke",
    ("PUT", r"/2015-03-31/functions/[^/]+/aliases/[^/]+"): "UpdateAlias",
    ("PUT", r"/[^/]+/locks/promotion\.json"): "PutObject (lock)",
    ("GET", r"/[^/]+/models/.*"): "GetObject (bundle)",
}
When = Literal["refused", "answer lost"]


class Faults:
    """Stands before AWS: from a named call on, nothing gets through any more."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app
        self._fail_at: tuple[str, When] | None = None
        self._cut = False
        self.calls: list[str] = []  # by name, in the order of their arrival

    def arm(self, name: str, when: When) -> None:
        """Let the next call of this name be the last: refused, or done with its answer lost."""
        self._fail_at, self._cut = (name, when), False

    def repair(self) -> None:
        """Let everything through again."""
        self._fail_at, self._cut = None, False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        name = name_of(request)
        self.calls.append(name)
        if self._fail_at and name == self._fail_at[0] and not self._cut:
            self._cut = True
            if self._fail_at[1] == "answer lost":
                Response.from_app(self._app, request.environ)
            return refusal()(environ, start_response)
        return refusal()(environ, start_response) if self._cut else self._app(environ, start_response)


def refusal() -> Response:
    """What no client tries again."""
    words = "the way to AWS is cut"
    body = json.dumps({"__type": "AccessDeniedException", "message": words, "Message": words})
    return Response(body, 403, {"x-amzn-ErrorType": "AccessDeniedException"}, mimetype="application/json")


def name_of(request: Request) -> str:
    """Name a call by its operation."""
    if target := request.headers.get("X-Amz-Target"):
        return target.split(".")[-1]
    for (method, path), name in LAMBDA.items():
        if request.method == method and re.fullmatch(path, request.path):
            return name
    return f"{request.method} {request.path}"


class InProcess:
    """One version of the function, in this process."""

    def __init__(self, environment: Mapping[str, str], cache: Path, s3_url: str) -> None:
        self.breaks = False
        settings = settings_for(environment.get("MODEL_URI") or None, cache, s3_endpoint_url=s3_url)
        self._handler = Handler(settings)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if self.breaks:
            return {"statusCode": 503, "body": json.dumps({"code": "model_unavailable", "detail": "It broke."})}
        return self._handler(dict(event), LambdaContext())

    def stop(self) -> None:
        """There is nothing to stop."""


@dataclass
class LocalCloud:
    """What a test needs of it."""

    deployment: Deployment
    function: VersionedFunction
    codedeploy: CodeDeploy
    faults: Faults
    versions: dict[str, InProcess] = field(default_factory=dict)  # those that were called, by number

    def serving(self) -> set[str]:
        """Ask as users do, often enough to meet a canary: the models that answer, or the status of what does not."""
        self.function.forget()
        return {self._health() for _ in range(60)}

    def model(self) -> str:
        """Ask once."""
        self.function.forget()
        return self._health()

    def _health(self) -> str:
        answer = self.function.invoke(event_of(Request(EnvironBuilder("/v1/health").get_environ())))
        return str(json.loads(answer["body"]).get("model_version", answer["statusCode"]))


@contextmanager
def local_cloud(cache: Path, *, canary_s: float, environ: Any) -> Iterator[LocalCloud]:
    """Start it with a function without a model, and lead every AWS client of this process to it.

    Args:
        cache: where the function keeps its models.
        canary_s: how long a canary lasts.
        environ: pytest's MonkeyPatch, for the environment.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environ.setenv(name, "test")
    environ.setenv("AWS_DEFAULT_REGION", cloud.REGION)
    with loopback_aws() as moto_url:
        urllib3.request("POST", f"{moto_url}/moto-api/reset")  # all of moto's servers in a process share what they keep
        aws = boto3.Session(region_name=cloud.REGION)
        cloud.create_stores(aws, moto_url)
        cloud.create_function(aws, moto_url, None)
        cloud.tell(aws, moto_url, "http://127.0.0.1:1", "http://127.0.0.1:1")
        versions: dict[str, InProcess] = {}

        def make(number: str, environment: Mapping[str, str]) -> InProcess:
            versions[number] = InProcess(environment, cache, moto_url)
            return versions[number]

        functions = aws.client("lambda", endpoint_url=moto_url)
        function = VersionedFunction(functions, cloud.FUNCTION, cloud.ALIAS, make)
        codedeploy = CodeDeploy(functions, function.failed, function.forget, canary_s=canary_s)
        faults = Faults(create_endpoints(function, codedeploy, moto_url))
        server = make_server("127.0.0.1", 0, faults, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        environ.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            yield LocalCloud(read_deployment(cloud.STACK), function, codedeploy, faults, versions)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
