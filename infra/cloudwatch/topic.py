"""The topic for alarms, failed jobs and the budget, with the e-mail address from the configuration."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam


@dataclass(frozen=True, kw_only=True)
class TopicArgs:
    """What the topic needs from the rest of the stack."""

    account: str
    key_arn: pulumi.Input[str]
    email: str | None
    budget_usd: int
    budget_of_stack: str | None  # the budget counts resources with this tag Stack; None: the whole account


class Topic(pulumi.ComponentResource):
    """A topic with its subscriber and a budget; other components need only `arn`."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: TopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:watching:Topic", name, None, opts)
        child_options = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(name, kms_master_key_id=args.key_arn, opts=child_options)
        allowed = aws.sns.TopicPolicy(
            name, arn=topic.arn, policy=iam.document(*_topic_policy(topic.arn, args.account)), opts=child_options
        )
        if args.email:
            aws.sns.TopicSubscription(name, topic=topic.arn, protocol="email", endpoint=args.email, opts=child_options)
        aws.budgets.Budget(
            name,
            budget_type="COST",
            limit_amount=str(args.budget_usd),
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:Stack${args.budget_of_stack}"]}]
            if args.budget_of_stack
            else None,
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "notification_type": "ACTUAL",
                    "subscriber_sns_topic_arns": [topic.arn],
                }
                for percent in (50, 80, 100)
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),  # AWS sends a test message at once
        )
        self.arn = topic.arn
        self.register_outputs({"arn": self.arn})


def _topic_policy(topic_arn: pulumi.Output[str], account: str) -> list[iam.Statement]:
    here = {"StringEquals": {"aws:SourceAccount": account}}
    services = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"]
    return [
        {
            "Sid": "AlarmsEventsAndBudgetsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": services},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": here,
        },
        {
            "Sid": "DenyWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
