"""Joins the parts of the page: its tasks, a load balancer that only CloudFront reaches, and CloudFront."""

from dataclasses import dataclass

import pulumi

from infra.cloudwatch.metrics import MonitoredPage
from infra.config import BALANCER_IDLE_S, ORIGIN_TIMEOUT_S, PAGE_TIMEOUT_S, StackConfig
from infra.inference.api import ClassifyApi, callable_routes
from infra.network import Network
from infra.page.balancer import Balancer, BalancerArgs
from infra.page.distribution import Distribution, DistributionArgs
from infra.page.firewall import REGION, Firewall, FirewallArgs
from infra.page.service import PageService, PageServiceArgs
from infra.registries import Registries
from infra.storage import Storage


@dataclass(frozen=True, kw_only=True)
class SiteArgs:
    """What the page needs from the rest of the stack."""

    account: str
    region: str
    config: StackConfig
    image_uri: str
    boundary_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    network: Network
    storage: Storage
    registries: Registries
    api: ClassifyApi


class Site(pulumi.ComponentResource):
    """The page; `url` opens it, and `monitored` names its parts for alarms and the dashboard."""

    url: pulumi.Output[str]
    cname_target: pulumi.Output[str]
    monitored: MonitoredPage

    def __init__(self, name: str, args: SiteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:page:Site", name, None, opts)
        config, network, child_options = args.config, args.network, pulumi.ResourceOptions(parent=self)
        balancer = Balancer(
            name,
            BalancerArgs(
                vpc_id=network.vpc_id,
                subnets=network.private_subnets,
                access_logs_bucket=args.storage.access_logs_ready,
                certificate_arn=config.origin_certificate_arn,
                idle_timeout_s=BALANCER_IDLE_S,
                protect=config.stage == "prod",
            ),
            child_options,
        )
        distribution = Distribution(
            name,
            DistributionArgs(
                balancer=balancer,
                vpc_id=network.vpc_id,
                access_logs_bucket_arn=args.storage.access_logs.arn,
                firewall_arn=_firewall(name, args, child_options),
                domain=config.page_domain,
                certificate_arn=config.page_certificate_arn,
                read_timeout_s=ORIGIN_TIMEOUT_S,
            ),
            child_options,
        )
        service = PageService(
            name,
            PageServiceArgs(
                account=args.account,
                region=args.region,
                boundary_arn=args.boundary_arn,
                key_arn=args.key_arn,
                image_uri=args.image_uri,
                repository_arn=args.registries.page.arn,
                vpc_id=network.vpc_id,
                subnets=network.private_subnets if network.has_nat else network.public_subnets,
                public_addresses=not network.has_nat,
                balancer=balancer,
                api_url=args.api.url,
                callable_routes=callable_routes(args.api.execution_arn),
                host=distribution.host,
                classify_timeout_s=PAGE_TIMEOUT_S,
                max_upload_mb=config.page_max_upload_mb,
                cpu=config.page_cpu,
                memory_mb=config.page_memory_mb,
                tasks_min=config.page_tasks_min,
                tasks_max=config.page_tasks_max,
                spot=config.page_spot,
                insights=config.page_insights,
                log_retention_days=config.log_retention_days,
            ),
            child_options,
        )
        self.url, self.cname_target = distribution.url, distribution.cname_target
        self.monitored = MonitoredPage(
            balancer_suffix=balancer.balancer.arn_suffix,
            target_group_suffix=balancer.target_group.arn_suffix,
            cluster=service.cluster.name,
            service=service.service.name,
        )
        self.register_outputs({"url": self.url})


def _firewall(name: str, args: SiteArgs, child_options: pulumi.ResourceOptions) -> pulumi.Output[str] | None:
    config = args.config
    if not config.firewall:
        return None
    rules = FirewallArgs(
        rate=config.firewall_rate,
        key_arn=args.key_arn if args.region == REGION else None,
        log_retention_days=config.log_retention_days,
    )
    return Firewall(name, rules, child_options).arn
