"""An AWS for promotions in one process: moto, the versions of the function, and a replacement for CodeDeploy.

An API call can be made to fail before AWS has done its work, or after it, with the response lost.
"""

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from wsgiref.types import WSGIApplication

import boto3
import urllib3
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from contract.bundle import read_bundle
from contract.events import http_event
from functions.classify.handler import Handler
from local import resources
from local.function.codedeploy import CodeDeploy
from local.function.endpoints import create_endpoints
from local.function.versions import VersionedFunction
from operations.account import Account, Stack, open_stack
from operations.registry.packages import ModelRegistry
from operations.registry.publish import publish
from tests.functions.conftest import LambdaContext, settings_for
from tests.loopback_aws import loopback_aws

LAMBDA = {
    ("PUT", r"/2015-03-31/functions/[^/]+/configuration"): "UpdateFunctionConfiguration",
    ("POST", r"/2015-03-31/functions/[^/]+/versions"): "PublishVersion",
    ("POST", r"/2015-03-31/functions/[^/]+/invocations"): "Invoke",
    ("PUT", r"/2015-03-31/functions/[^/]+/aliases/[^/]+"): "UpdateAlias",
    ("PUT", r"/[^/]+/locks/promotion\.json"): "PutObject (lock)",
    ("GET", r"/[^/]+/models/.*"): "GetObject (bundle)",
}
When = Literal["refused", "response lost"]


class Faults:
    """A proxy in front of AWS that fails every call from a named one on."""

    def __init__(self, app: WSGIApplication) -> None:
        self.begin(app)

    def begin(self, app: WSGIApplication) -> None:
        """Forward calls to this application, without faults."""
        self._app = app
        self._fail_at: tuple[str, When] | None = None
        self._cut = False
        self._fixed: dict[str, Response] = {}

    def answer(self, name: str, status: int, code: str, message: str) -> None:
        """Answer every call of this name with an error in the form of AWS."""
        body = json.dumps({"__type": code, "message": message, "Message": message})
        self._fixed[name] = Response(body, status, {"x-amzn-ErrorType": code}, mimetype="application/json")

    def arm(self, name: str, when: When) -> None:
        """Let the next call of this name and all later calls fail."""
        self._fail_at, self._cut = (name, when), False

    def repair(self) -> None:
        """Forward all calls again."""
        self._fail_at, self._cut = None, False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        name = name_of(request)
        if name in self._fixed:
            return self._fixed[name](environ, start_response)
        if self._fail_at and name == self._fail_at[0] and not self._cut:
            self._cut = True
            if self._fail_at[1] == "response lost":
                Response.from_app(self._app, request.environ)
            return refusal()(environ, start_response)
        return refusal()(environ, start_response) if self._cut else self._app(environ, start_response)


def refusal() -> Response:
    """An error that no client retries."""
    message = "the connection to AWS is cut"
    body = json.dumps({"__type": "AccessDeniedException", "message": message, "Message": message})
    return Response(body, 403, {"x-amzn-ErrorType": "AccessDeniedException"}, mimetype="application/json")


def name_of(request: Request) -> str:
    """Name the API operation of a call."""
    if target := request.headers.get("X-Amz-Target"):
        return target.split(".")[-1]
    for (method, path), name in LAMBDA.items():
        if request.method == method and re.fullmatch(path, request.path):
            return name
    return f"{request.method} {request.path}"


class InProcess:
    """One version of the function, in this process."""

    def __init__(self, environment: Mapping[str, str], cache: Path, s3_url: str) -> None:
        self.broken = False
        settings = settings_for(environment.get("MODEL_URI") or None, cache, s3_endpoint_url=s3_url)
        self._handler = Handler(settings)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if self.broken:
            return {"statusCode": 503, "body": json.dumps({"code": "model_unavailable", "detail": "It broke."})}
        return self._handler(dict(event), LambdaContext())

    def stop(self) -> None:
        """Nothing to stop: it has no process."""


@dataclass
class LocalCloud:
    """A stack in that AWS, and its parts."""

    stack: Stack
    function: VersionedFunction
    codedeploy: CodeDeploy
    faults: Faults
    versions: dict[str, InProcess] = field(default_factory=dict)  # number -> version, of those that were called

    @property
    def registry(self) -> ModelRegistry:
        """The registry of its models."""
        return ModelRegistry(self.stack, self.stack.deployment.model_package_group)

    def serving(self, times: int = 10) -> set[str]:
        """Call the API as users do: the versions of the models that answer, or the status of an error."""
        self.function.expire_weights()
        return {self._health() for _ in range(times)}

    def _health(self) -> str:
        response = self.function.invoke(http_event("GET", "/v1/health"))
        return str(json.loads(response["body"]).get("model_version", response["statusCode"]))


@dataclass
class LocalAws:
    """Servers that several tests use, so that they share clients too. Each test starts with an empty state."""

    moto_url: str
    proxy_url: str
    faults: Faults
    session: boto3.Session


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """Start moto, and the proxy in front of it."""
    faults = Faults(Response("not ready", 503))
    server = make_server("127.0.0.1", 0, faults, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    session = boto3.Session("test", "test", region_name=resources.REGION)
    try:
        with loopback_aws() as moto_url:
            yield LocalAws(moto_url, f"http://127.0.0.1:{server.server_port}", faults, session)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def local_cloud(
    aws: LocalAws, cache: Path, *, canary_s: float, environ: Any, first: Path | None = None, faulty: bool = False
) -> Iterator[LocalCloud]:
    """Create a stack there, and send every AWS client of this process to it.

    Args:
        aws: the servers.
        cache: folder for the models of the function.
        canary_s: how long a canary lasts.
        environ: pytest's MonkeyPatch, for the environment.
        first: the bundle that the function serves at the start; None is no model.
        faulty: send all calls through `faults`, and not only those to Lambda and CodeDeploy.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environ.setenv(name, "test")
    environ.setenv("AWS_DEFAULT_REGION", resources.REGION)
    environ.setenv("AWS_ENDPOINT_URL", aws.moto_url)
    urllib3.request("POST", f"{aws.moto_url}/moto-api/reset")  # all moto servers of a process share one state
    resources.create_storage(aws.session, aws.moto_url)
    resources.create_function(aws.session, aws.moto_url, put_model(first) if first else None)
    resources.put_deployment_parameter(aws.session, aws.moto_url, "http://127.0.0.1:1", "http://127.0.0.1:1")
    versions: dict[str, InProcess] = {}

    def make(number: str, environment: Mapping[str, str]) -> InProcess:
        versions[number] = InProcess(environment, cache, aws.moto_url)
        return versions[number]

    functions = aws.session.client("lambda", endpoint_url=aws.moto_url)
    function = VersionedFunction(functions, resources.FUNCTION, resources.ALIAS, make)
    codedeploy = CodeDeploy(functions, function.failures, function.expire_weights, canary_s=canary_s)
    aws.faults.begin(create_endpoints(function, codedeploy, aws.moto_url))
    for name in ("AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_CODEDEPLOY", *(["AWS_ENDPOINT_URL"] * faulty)):
        environ.setenv(name, aws.proxy_url)
    yield LocalCloud(open_stack(resources.STACK), function, codedeploy, aws.faults, versions)


def put_model(bundle: Path) -> str:
    """Publish and register a bundle; return its URI."""
    uri = publish(bundle, f"s3://{resources.MODELS_BUCKET}")
    ModelRegistry(Account(), resources.MODEL_GROUP).register(read_bundle(bundle), uri)
    return uri
