"""AWS's own endpoints where moto's server does not do the work: Lambda's Invoke, and CodeDeploy's deployments.

Everything else that arrives here goes on to moto unchanged, so that a client may be pointed here for all of Lambda and
CodeDeploy.
"""

import json
import re

import urllib3
from werkzeug.wrappers import Request, Response

from local.codedeploy import CodeDeploy, CodeDeployRefusal
from local.emulator import FunctionFailedError, ThrottledError
from local.errors import LocalStackError
from local.gateway import Wsgi
from local.versions import UnknownVersionError, VersionedFunction

INVOKE = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations")
CODEDEPLOY = "CodeDeploy_20141006."
NOT_FORWARDED = {"host", "connection", "transfer-encoding", "content-length", "expect"}
NOT_RETURNED = NOT_FORWARDED | {"date", "server"}  # the server here says them itself


def create_endpoints(function: VersionedFunction, codedeploy: CodeDeploy, aws_url: str) -> Wsgi:
    """Build the WSGI application.

    Args:
        function: the one that can be invoked.
        codedeploy: the deployments.
        aws_url: of moto, which gets what is neither.
    """
    upstream = urllib3.PoolManager(retries=False, timeout=60)

    @Request.application
    def endpoints(request: Request) -> Response:
        invoked = INVOKE.fullmatch(request.path)
        if request.method == "POST" and invoked and _named(invoked["function"]) == function.name:
            return _invoke(function, request)
        operation = request.headers.get("X-Amz-Target", "").removeprefix(CODEDEPLOY)
        if codedeploy.offers(operation):
            return _deploy(codedeploy, operation, request)
        return _forward(upstream, aws_url, request)

    return endpoints


def _named(function: str) -> str:
    """Read the name from a name or an ARN."""
    return function.split(":function:")[-1].split(":")[0]


def _invoke(function: VersionedFunction, request: Request) -> Response:
    qualifier = request.args.get("Qualifier", function.alias)
    try:
        result = function.invoke_version(qualifier, json.loads(request.get_data() or b"{}"))
    except UnknownVersionError as error:
        return _refusal(404, "ResourceNotFoundException", str(error))
    except ThrottledError:
        return _refusal(429, "TooManyRequestsException", "Rate Exceeded.")
    except (FunctionFailedError, LocalStackError) as error:
        failure = {"errorType": "Runtime.ExitError", "errorMessage": str(error)}
        return Response(json.dumps(failure), 200, {"X-Amz-Function-Error": "Unhandled"}, mimetype="application/json")
    return Response(json.dumps(result), 200, {"X-Amz-Executed-Version": qualifier}, mimetype="application/json")


def _deploy(codedeploy: CodeDeploy, operation: str, request: Request) -> Response:
    try:
        answer = codedeploy.call(operation, json.loads(request.get_data()))
    except CodeDeployRefusal as error:
        return _refusal(400, error.code, str(error))
    return Response(json.dumps(answer), content_type="application/x-amz-json-1.1")


def _forward(upstream: urllib3.PoolManager, aws_url: str, request: Request) -> Response:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED}
    target = aws_url + request.full_path.rstrip("?")
    answer = upstream.request(request.method, target, body=request.get_data(), headers=headers, redirect=False)
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_RETURNED}
    return Response(answer.data, answer.status, kept)


def _refusal(status: int, code: str, message: str) -> Response:
    body = json.dumps({"__type": code, "message": message, "Message": message})
    return Response(body, status, {"x-amzn-ErrorType": code}, content_type="application/x-amz-json-1.1")
