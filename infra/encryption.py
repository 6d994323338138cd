"""The KMS key that encrypts all data at rest in the stack."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam


@dataclass(frozen=True, kw_only=True)
class EncryptionArgs:
    """The account and the region of the stack, and whether to protect the key."""

    account: str
    region: str
    protect: bool  # `pulumi destroy` keeps the key, like the data that it encrypts


class Encryption(pulumi.ComponentResource):
    """One key, rotated every year; other components need only `key_arn`."""

    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:foundation:Encryption", name, None, opts)
        key = aws.kms.Key(
            name,
            description=f"{name}: data, models, logs, secrets and messages",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=iam.document(*_key_policy(args.account, args.region)),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.protect),
        )
        aws.kms.Alias(name, name=f"alias/{name}", target_key_id=key.key_id, opts=pulumi.ResourceOptions(parent=self))
        self.key_arn = key.arn
        self.register_outputs({"key_arn": self.key_arn})


def _key_policy(account: str, region: str) -> list[iam.Statement]:
    """Write the statements of the key's policy; in the policy of a key, the resource * is the key itself."""
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    from_here = {"StringEquals": {"aws:SourceAccount": account}}
    return [
        {
            "Sid": "PoliciesOfThisAccount",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "LogGroupsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{region}.amazonaws.com"},
            "Action": use,
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:*:{account}:log-group:*"}},
        },
        {
            "Sid": "AlarmsEventsAndBudgets",
            "Effect": "Allow",
            "Principal": {
                "Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"],
            },
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": from_here,
        },
    ]
