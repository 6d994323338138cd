"""AWS WAF in front of CloudFront: blocks known attacks, and limits the requests of each address."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

REGION: Final = "us-east-1"  # of every web ACL for CloudFront
MANAGED: Final = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")
COMMON: Final = "AWSManagedRulesCommonRuleSet"
# A picture is large and can contain any bytes, so these rules would block honest uploads: they only count.
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

    rate: int  # requests of one address in five minutes, before it is blocked
    key_arn: pulumi.Input[str] | None  # encrypts the log; None: the stack's key is in another region
    log_retention_days: int


class Firewall(pulumi.ComponentResource):
    """A web ACL; CloudFront needs only `arn`."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:page:Firewall", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        too_many: Any = {
            "name": "too-many-requests",
            "priority": 0,
            "action": {"block": {}},
            "statement": {"rate_based_statement": {"limit": args.rate, "aggregate_key_type": "IP"}},
            "visibility_config": _visibility("too-many-requests"),
        }
        managed = [_managed(rule, priority) for priority, rule in enumerate(MANAGED, start=1)]
        acl = aws.wafv2.WebAcl(
            name,
            region=REGION,
            scope="CLOUDFRONT",
            description="The page",
            default_action={"allow": {}},
            rules=[too_many, *managed, _managed(COMMON, len(MANAGED) + 1, counted=COUNTED)],
            visibility_config=_visibility("page"),
            opts=child_options,
        )
        logs = aws.cloudwatch.LogGroup(
            name,
            region=REGION,
            name_prefix=f"aws-waf-logs-{name}-",  # WAF requires this prefix
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=child_options,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            name,
            region=REGION,
            resource_arn=acl.arn,
            log_destination_configs=[logs.arn],
            redacted_fields=[{"single_header": {"name": "cookie"}}, {"single_header": {"name": "authorization"}}],
            logging_filter={  # allowed requests are in CloudFront's access log
                "default_behavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [{"action_condition": {"action": action}} for action in ("BLOCK", "COUNT")],
                    }
                ],
            },
            opts=child_options,
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
        "visibility_config": _visibility(rule),
    }


def _visibility(metric: str) -> Any:
    return {"cloudwatch_metrics_enabled": True, "metric_name": metric, "sampled_requests_enabled": False}
