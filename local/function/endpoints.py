"""The endpoints of Lambda and CodeDeploy: Invoke and deployments, which moto only records, are executed here.

All other requests are forwarded to moto unchanged, so a client may use this endpoint for all of Lambda and CodeDeploy.
"""

import json
import re
from wsgiref.types import WSGIApplication

import urllib3
from werkzeug.wrappers import Request, Response

from local.aws_json import error_response, json_response
from local.errors import LocalStackError
from local.function.codedeploy import CodeDeploy, CodeDeployError
from local.function.concurrency import ThrottledError
from local.function.emulator import FunctionFailedError
from local.function.versions import UnknownVersionError, VersionedFunction

INVOKE = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations")
CODEDEPLOY_PREFIX = "CodeDeploy_20141006."
NOT_FORWARDED = {"host", "connection", "transfer-encoding", "content-length", "expect"}
NOT_RETURNED = NOT_FORWARDED | {"date", "server"}  # this server adds its own


def create_endpoints(function: VersionedFunction, codedeploy: CodeDeploy, aws_url: str) -> WSGIApplication:
    """Build the WSGI application.

    Args:
        function: the function for Invoke.
        codedeploy: the deployments.
        aws_url: of moto.
    """
    upstream = urllib3.PoolManager(retries=False, timeout=60)

    @Request.application
    def endpoints(request: Request) -> Response:
        invoke = INVOKE.fullmatch(request.path)
        if request.method == "POST" and invoke and _function_name(invoke["function"]) == function.name:
            return _invoke(function, request)
        operation = request.headers.get("X-Amz-Target", "").removeprefix(CODEDEPLOY_PREFIX)
        if codedeploy.implements(operation):
            return _call_codedeploy(codedeploy, operation, request)
        return _forward(upstream, aws_url, request)

    return endpoints


def _function_name(name_or_arn: str) -> str:
    return name_or_arn.split(":function:")[-1].split(":")[0]


def _invoke(function: VersionedFunction, request: Request) -> Response:
    qualifier = request.args.get("Qualifier", function.alias)
    try:
        result = function.invoke_version(qualifier, json.loads(request.get_data() or b"{}"))
    except UnknownVersionError as error:
        return error_response(404, "ResourceNotFoundException", str(error))
    except ThrottledError:
        return error_response(429, "TooManyRequestsException", "Rate Exceeded.")
    except (FunctionFailedError, LocalStackError) as error:
        failure = {"errorType": "Runtime.ExitError", "errorMessage": str(error)}
        return Response(json.dumps(failure), 200, {"X-Amz-Function-Error": "Unhandled"}, mimetype="application/json")
    return Response(json.dumps(result), 200, {"X-Amz-Executed-Version": qualifier}, mimetype="application/json")


def _call_codedeploy(codedeploy: CodeDeploy, operation: str, request: Request) -> Response:
    try:
        return json_response(codedeploy.call(operation, json.loads(request.get_data())))
    except CodeDeployError as error:
        return error_response(400, error.code, str(error))


def _forward(upstream: urllib3.PoolManager, aws_url: str, request: Request) -> Response:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED}
    target = aws_url + request.full_path.rstrip("?")
    response = upstream.request(request.method, target, body=request.get_data(), headers=headers, redirect=False)
    kept = {name: value for name, value in response.headers.items() if name.lower() not in NOT_RETURNED}
    return Response(response.data, response.status, kept)
