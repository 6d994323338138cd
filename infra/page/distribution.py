"""CloudFront in front of the load balancer: the only way to the page. A VPC origin connects it to the network."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from infra.page.balancer import Balancer

# CloudFront's own policies, the same in every account.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_DISABLED: Final = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED: Final = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_OF_THE_VIEWER: Final = "216adef6-5c7f-47e4-b989-5492eafa07d3"  # all headers, with the Host that the page checks
# CloudFront has no smaller set of methods with POST.
EVERY_METHOD: Final = ("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
ORIGIN: Final = "page"
# The security group that CloudFront creates in a VPC together with the first VPC origin there.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-vpc-origins.html
SERVICE_GROUP: Final = "CloudFront-VPCOrigins-Service-SG"


@dataclass(frozen=True, kw_only=True)
class DistributionArgs:
    """What CloudFront needs from the rest of the stack."""

    balancer: Balancer
    vpc_id: pulumi.Input[str]
    access_logs_bucket_arn: pulumi.Input[str]
    firewall_arn: pulumi.Input[str] | None
    domain: str | None
    certificate_arn: str | None  # of the domain, in us-east-1
    read_timeout_s: int


class Distribution(pulumi.ComponentResource):
    """The page's public address; other components need only `host` and `url`."""

    host: pulumi.Output[str]
    url: pulumi.Output[str]
    cname_target: pulumi.Output[str]  # the target of the CNAME or ALIAS of your own domain

    def __init__(self, name: str, args: DistributionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:page:Distribution", name, None, opts)
        self._name, self._args, self._child_options = name, args, pulumi.ResourceOptions(parent=self)
        origin = self._origin()
        self._open_balancer(origin)
        page: Any = {
            "origin_id": ORIGIN,
            "domain_name": args.balancer.balancer.dns_name,
            "vpc_origin_config": {
                "vpc_origin_id": origin.id,
                "origin_read_timeout": args.read_timeout_s,
                "origin_keepalive_timeout": 5,
            },
        }
        distribution = aws.cloudfront.Distribution(
            name,
            comment=name,
            enabled=True,
            is_ipv6_enabled=True,
            http_version="http2and3",
            price_class="PriceClass_100",
            web_acl_id=args.firewall_arn,
            aliases=[args.domain] if args.domain else None,
            origins=[page],
            default_cache_behavior=_behaviour(CACHING_DISABLED, allowed_methods=EVERY_METHOD),
            ordered_cache_behaviors=[
                _behaviour(CACHING_OPTIMIZED, path_pattern="/static/*", allowed_methods=["GET", "HEAD"])
            ],
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate=_certificate(args.certificate_arn),
            opts=self._child_options,
        )
        self._log(distribution)
        self.host = pulumi.Output.from_input(args.domain) if args.domain else distribution.domain_name
        self.cname_target = distribution.domain_name
        self.url = pulumi.Output.concat("https://", self.host)
        self.register_outputs({"url": self.url})

    def _origin(self) -> aws.cloudfront.VpcOrigin:
        balancer = self._args.balancer
        tls = balancer.port == 443
        return aws.cloudfront.VpcOrigin(
            self._name,
            vpc_origin_endpoint_config={
                "name": self._name,
                "arn": balancer.balancer.arn,
                "http_port": 80,
                "https_port": 443,
                "origin_protocol_policy": "https-only" if tls else "http-only",
                "origin_ssl_protocols": {"items": ["TLSv1.2"], "quantity": 1},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[balancer.listener]),
        )

    def _open_balancer(self, origin: aws.cloudfront.VpcOrigin) -> None:
        """Let only CloudFront's own security group in this VPC reach the load balancer."""
        filters: list[Any] = [
            {"name": "group-name", "values": [SERVICE_GROUP]},
            {"name": "vpc-id", "values": [self._args.vpc_id]},
        ]
        group = aws.ec2.get_security_group_output(
            filters=filters,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[origin]),
        )
        aws.vpc.SecurityGroupIngressRule(
            self._name,
            security_group_id=self._args.balancer.security_group.id,
            description="CloudFront, from inside the network",
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=self._args.balancer.port,
            to_port=self._args.balancer.port,
            opts=self._child_options,
        )

    def _log(self, distribution: aws.cloudfront.Distribution) -> None:
        """Write access logs through CloudWatch log delivery, which for CloudFront is in us-east-1."""
        source = aws.cloudwatch.LogDeliverySource(
            self._name,
            region="us-east-1",
            log_type="ACCESS_LOGS",
            resource_arn=distribution.arn,
            opts=self._child_options,
        )
        destination = aws.cloudwatch.LogDeliveryDestination(
            self._name,
            region="us-east-1",
            output_format="w3c",
            delivery_destination_configuration={
                "destination_resource_arn": pulumi.Output.concat(self._args.access_logs_bucket_arn, "/cloudfront")
            },
            opts=self._child_options,
        )
        aws.cloudwatch.LogDelivery(
            self._name,
            region="us-east-1",
            delivery_source_name=source.name,
            delivery_destination_arn=destination.arn,
            opts=self._child_options,
        )


def _behaviour(cache_policy: str, **more: Any) -> Any:
    return {
        "target_origin_id": ORIGIN,
        "viewer_protocol_policy": "redirect-to-https",
        "cached_methods": ["GET", "HEAD"],
        "cache_policy_id": cache_policy,
        "origin_request_policy_id": ALL_OF_THE_VIEWER,
        "compress": True,
        **more,
    }


def _certificate(arn: str | None) -> Any:
    if arn is None:
        return {"cloudfront_default_certificate": True}
    return {"acm_certificate_arn": arn, "ssl_support_method": "sni-only", "minimum_protocol_version": "TLSv1.2_2021"}
