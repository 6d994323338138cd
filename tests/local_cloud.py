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
from operations.aws import read_deployment
from operations.deployment import Deployment
from operations.registry.packages import register
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
When = Literal["refused", "answer lost"]


class Faults:
    """Stands before AWS: from a named call on, nothing gets through any more."""

    def __init__(self, app: WSGIApplication) -> None:
        self.begin(app)

    def begin(self, app: WSGIApplication) -> None:
        """Stand before this application, with nothing wrong yet."""
        self._app = app
        self._fail_at: tuple[str, When] | None = None
        self._cut = False
        self._instead: dict[str, Response] = {}
        self.calls: list[str] = []  # by name, in the order of their arrival

    def answer(self, name: str, status: int, code: str, message: str) -> None:
        """Let every call of this name be refused in AWS's words."""
        body = json.dumps({"__type": code, "message": message, "Message": message})
        self._instead[name] = Response(body, status, {"x-amzn-ErrorType": code}, mimetype="application/json")

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
        if name in self._instead:
            return self._instead[name](environ, start_response)
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

    def serving(self, times: int = 10) -> set[str]:
        """Ask as users do: the models that answer, or the status of what does not."""
        self.function.expire_weights()
        return {self._health() for _ in range(times)}

    def _health(self) -> str:
        answer = self.function.invoke(http_event("GET", "/v1/health"))
        return str(json.loads(answer["body"]).get("model_version", answer["statusCode"]))


@dataclass
class LocalAws:
    """Servers that stay up from test to test, so that clients do too; what they keep is each test's own."""

    moto_url: str
    front_url: str
    faults: Faults
    session: boto3.Session


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """Start moto, and what stands before it."""
    faults = Faults(Response("not yet", 503))
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
    """Make a stack there, and lead every AWS client of this process to it.

    Args:
        aws: where.
        cache: where the function keeps its models.
        canary_s: how long a canary lasts.
        environ: pytest's MonkeyPatch, for the environment.
        first: the bundle that the function begins with, if any.
        faulty: lead all calls past `faults`, and not only those that moto does not do.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environ.setenv(name, "test")
    environ.setenv("AWS_DEFAULT_REGION", resources.REGION)
    environ.setenv("AWS_ENDPOINT_URL", aws.moto_url)
    urllib3.request("POST", f"{aws.moto_url}/moto-api/reset")  # all of moto's servers in a process share what they keep
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
        environ.setenv(name, aws.front_url)
    yield LocalCloud(read_deployment(resources.STACK), function, codedeploy, aws.faults, versions)


def put_model(bundle: Path) -> str:
    """Publish and register a bundle, and return its URI."""
    uri = publish(bundle, f"s3://{resources.MODELS_BUCKET}")
    register(read_bundle(bundle), uri, group=resources.MODEL_GROUP)
    return uri
