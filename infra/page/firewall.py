"""AWS WAF in front of CloudFront: known attacks, and no more than so many requests from one address."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

HOME: Final = "us-east-1"  # of every firewall in front of CloudFront
MANAGED: Final = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")
COMMON: Final = "AWSManagedRulesCommonRuleSet"
# A picture is large and its bytes are any bytes, so these would refuse honest uploads: they count and do not block.
COUNTED: Final = (
    "SizeRestrictions_BODY",
    "CrossSiteScripting_BODY",
    "GenericRFI_BODY",
    "GenericLFI_BODY",
    "EC2MetaDataSSRF_BODY",
)


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """What the firewall needs from the rest of the stack."""

    rate: int  # requests of one address in five minutes
    key_arn: pulumi.Input[str] | None  # for its log; None: the stack, and so its key, is in another region
    log_retention_days: int


class Firewall(pulumi.ComponentResource):
    """A web ACL; `arn` is all that CloudFront needs."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:page:Firewall", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        too_many: Any = {
            "name": "too-many-requests",
            "priority": 0,
            "action": {"block": {}},
            "statement": {"rate_based_statement": {"limit": args.rate, "aggregate_key_type": "IP"}},
            "visibility_config": _seen("too-many-requests"),
        }
        managed = [_managed(rule, priority) for priority, rule in enumerate(MANAGED, start=1)]
        acl = aws.wafv2.WebAcl(
            name,
            region=HOME,
            scope="CLOUDFRONT",
            description="The page",
            default_action={"allow": {}},
            rules=[too_many, *managed, _managed(COMMON, len(MANAGED) + 1, counted=COUNTED)],
            visibility_config=_seen("page"),
            opts=inside,
        )
        logs = aws.cloudwatch.LogGroup(
            name,
            region=HOME,
            name_prefix=f"aws-waf-logs-{name}-",  # the start that WAF asks for
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=inside,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            name,
            region=HOME,
            resource_arn=acl.arn,
            log_destination_configs=[logs.arn],
            redacted_fields=[{"single_header": {"name": "cookie"}}, {"single_header": {"name": "authorization"}}],
            logging_filter={  # what was let through is in CloudFront's own log
                "default_behavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [{"action_condition": {"action": action}} for action in ("BLOCK", "COUNT")],
                    }
                ],
            },
            opts=inside,
        )
        self.arn = acl.arn
        self.register_outputs({"arn": self.arn})


def _managed(rule: str, priority: int, counted: tuple[str, ...] = ()) -> Any:
    group: dict[str, Any] = {"vendor_name": "AWS", "name": rule}
    if counted:
        group["rule_action_overrides"] = [{"name": name, "action_to_use": {"count": {}}} for name in counted]
    return {
        "name": rule,
        "priority": priority,
        "override_action": {"none": {}},
        "statement": {"managed_rule_group_statement": group},
        "visibility_config": _seen(rule),
    }


def _seen(metric: str) -> Any:
    return {"cloudwatch_metrics_enabled": True, "metric_name": metric, "sampled_requests_enabled": False}
