"""The HTTP API in front of the function. It takes only signed calls, throttles them and logs them."""

import json
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

ROUTES: Final = ("POST /v1/predictions", "GET /v1/model", "GET /v1/health", "GET /openapi.json")
DEFAULT_ROUTE: Final = "$default"  # any other path or method: the function answers 404 or 405 itself
ACCESS_LOG_FIELDS: Final = {  # no caller's IP address and no body
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "latencyMs": "$context.responseLatency",
    "integrationMs": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
    "responseBytes": "$context.responseLength",
    "caller": "$context.identity.userArn",
}


@dataclass(frozen=True, kw_only=True)
class ClassifyApiArgs:
    """What the API needs from the rest of the stack."""

    function_name: pulumi.Input[str]
    alias_name: pulumi.Input[str]
    alias_invoke_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    timeout_s: int
    rate_per_s: int
    burst: int
    log_retention_days: int


class ClassifyApi(pulumi.ComponentResource):
    """The API; callers need `url`, and their roles name `execution_arn`."""

    api: aws.apigatewayv2.Api
    url: pulumi.Output[str]
    execution_arn: pulumi.Output[str]

    def __init__(self, name: str, args: ClassifyApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:inference:ClassifyApi", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        self.api = aws.apigatewayv2.Api(
            name,
            protocol_type="HTTP",  # without CORS: scripts of other sites cannot call it
            description="Classifies pictures of skin lesions",
            opts=child_options,
        )
        aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=args.function_name,
            qualifier=args.alias_name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(self.api.execution_arn, "/*/*"),
            opts=child_options,
        )
        integration = aws.apigatewayv2.Integration(
            name,
            api_id=self.api.id,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=args.alias_invoke_arn,
            payload_format_version="2.0",
            timeout_milliseconds=1000 * args.timeout_s,
            opts=child_options,
        )
        for number, route in enumerate((*ROUTES, DEFAULT_ROUTE)):
            aws.apigatewayv2.Route(
                f"{name}-{number}",
                api_id=self.api.id,
                route_key=route,
                authorization_type="AWS_IAM",
                target=pulumi.Output.concat("integrations/", integration.id),
                opts=child_options,
            )
        self._stage(name, args, child_options)
        self.url, self.execution_arn = self.api.api_endpoint, self.api.execution_arn
        self.register_outputs({"url": self.url})

    def _stage(self, name: str, args: ClassifyApiArgs, child_options: pulumi.ResourceOptions) -> None:
        logs = aws.cloudwatch.LogGroup(
            name,
            name_prefix=f"/aws/vendedlogs/{name}-",  # AWS's own permission to write logs covers this prefix
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=child_options,
        )
        aws.apigatewayv2.Stage(
            name,
            api_id=self.api.id,
            name="$default",
            auto_deploy=True,
            access_log_settings={"destination_arn": logs.arn, "format": json.dumps(ACCESS_LOG_FIELDS)},
            default_route_settings={
                "throttling_rate_limit": args.rate_per_s,
                "throttling_burst_limit": args.burst,
                "detailed_metrics_enabled": True,
            },
            opts=child_options,
        )


def callable_routes(execution_arn: pulumi.Output[str]) -> list[pulumi.Output[str]]:
    """Write the routes as policies name them, <api>/<stage>/<method><path>, without the OpenAPI description."""
    routes = (route.replace(" ", "") for route in ROUTES if "/v1/" in route)
    return [pulumi.Output.concat(execution_arn, f"/$default/{route}") for route in routes]
