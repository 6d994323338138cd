"""The load balancer in front of the page's tasks. It is inside the network, and only CloudFront reaches it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

PAGE_PORT: Final = 8080  # of gunicorn in the container
HEALTH_PATH: Final = "/healthz"
TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"


@dataclass(frozen=True, kw_only=True)
class BalancerArgs:
    """What the load balancer needs from the rest of the stack."""

    vpc_id: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    access_logs_bucket: pulumi.Input[str]
    certificate_arn: str | None  # of the page's own domain, for TLS between CloudFront and the load balancer
    idle_timeout_s: int
    protect: bool


class Balancer(pulumi.ComponentResource):
    """An internal load balancer. Its security group has no rules: CloudFront's and the tasks' components add theirs."""

    balancer: aws.lb.LoadBalancer
    security_group: aws.ec2.SecurityGroup
    target_group: aws.lb.TargetGroup
    listener: aws.lb.Listener
    port: int

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:page:Balancer", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        self.port = 443 if args.certificate_arn else 80
        self.security_group = aws.ec2.SecurityGroup(
            name, vpc_id=args.vpc_id, description="The page's load balancer", tags={"Name": name}, opts=child_options
        )
        self.balancer = aws.lb.LoadBalancer(
            name,
            internal=True,
            load_balancer_type="application",
            subnets=args.subnets,
            security_groups=[self.security_group.id],
            drop_invalid_header_fields=True,
            idle_timeout=args.idle_timeout_s,
            enable_deletion_protection=args.protect,
            access_logs={"bucket": args.access_logs_bucket, "prefix": "balancer", "enabled": True},
            opts=child_options,
        )
        self.target_group = aws.lb.TargetGroup(
            name,
            vpc_id=args.vpc_id,
            port=PAGE_PORT,
            protocol="HTTP",
            target_type="ip",
            deregistration_delay=40,  # seconds; a request that has started takes 30 at most
            health_check={
                "path": HEALTH_PATH,
                "matcher": "200",
                "interval": 15,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
            },
            opts=child_options,
        )
        tls: Any = {"certificate_arn": args.certificate_arn, "ssl_policy": TLS_POLICY} if args.certificate_arn else {}
        self.listener = aws.lb.Listener(
            name,
            load_balancer_arn=self.balancer.arn,
            port=self.port,
            protocol="HTTPS" if tls else "HTTP",
            default_actions=[{"type": "forward", "target_group_arn": self.target_group.arn}],
            opts=child_options,
            **tls,
        )
        self.register_outputs({"arn": self.balancer.arn})
