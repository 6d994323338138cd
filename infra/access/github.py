"""The roles of GitHub's workflows: three, without a stored secret, each for one environment of one repository."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.access import deploy_policy, models_policy, preview_policy

ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class GithubArgs:
    """What the roles need from the rest of the stack."""

    stack: str
    account: str
    region: str
    repository: str  # owner/name
    owns_provider: bool  # an account has one OIDC provider for GitHub, and one stack creates it
    boundary_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    training_role_arn: pulumi.Input[str]
    models_bucket_arn: pulumi.Input[str]
    data_bucket_arn: pulumi.Input[str]
    state_bucket: str | None


class Github(pulumi.ComponentResource):
    """The roles, by kind: preview, deploy and models."""

    roles: dict[str, aws.iam.Role]

    def __init__(self, name: str, args: GithubArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:access:Github", name, None, opts)
        self._name, self._args, self._child_options = name, args, pulumi.ResourceOptions(parent=self)
        self._issuer_arn = self._issuer()
        # Each key is the end of a policy's name.
        preview = {"reads": preview_policy.preview_statements(args.stack, args.account, args.region, args.state_bucket)}
        deploy = {
            **preview,
            "makes": deploy_policy.named_statements(args.stack, args.account, args.region),
            "makes-unnamed": deploy_policy.unnamed_statements(args.stack, args.account, args.region),
            "trusts": deploy_policy.iam_statements(args.stack, args.account, args.boundary_arn),
            "keeps": deploy_policy.state_statements(args.state_bucket, args.key_arn),
        }
        promotion = models_policy.models_statements(
            args.stack,
            args.account,
            args.region,
            key_arn=args.key_arn,
            training_role_arn=args.training_role_arn,
            models_bucket_arn=args.models_bucket_arn,
            data_bucket_arn=args.data_bucket_arn,
        )
        models = {"promotes": promotion}
        self.roles = {
            "preview": self._role("preview", f"{args.stack}-preview", "Reads, for `pulumi preview`", preview),
            "deploy": self._role("deploy", args.stack, "Makes what the program needs, for `pulumi up`", deploy),
            "models": self._role("models", f"{args.stack}-models", "Trains, compares and promotes models", models),
        }
        self.register_outputs({key: role.arn for key, role in self.roles.items()})

    def _issuer(self) -> pulumi.Input[str]:
        if not self._args.owns_provider:
            return f"arn:aws:iam::{self._args.account}:oidc-provider/{ISSUER}"
        provider = aws.iam.OpenIdConnectProvider(
            self._name, url=f"https://{ISSUER}", client_id_lists=[AUDIENCE], opts=self._child_options
        )
        return provider.arn

    def _role(
        self, kind: str, environment: str, description: str, policies: dict[str, Sequence[iam.Statement]]
    ) -> aws.iam.Role:
        """Create a role for workflows of this repository that run in one of its environments."""
        subject = f"repo:{self._args.repository}:environment:{environment}"
        trusted = iam.document(
            {
                "Effect": "Allow",
                "Principal": {"Federated": self._issuer_arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subject}},
            }
        )
        name = f"{self._name}-{kind}"
        role = aws.iam.Role(
            name,
            description=description,
            assume_role_policy=trusted,
            max_session_duration=3 * 3600 if kind == "models" else 3600,
            opts=self._child_options,
        )
        for part, statements in policies.items():
            policy = aws.iam.Policy(
                f"{name}-{part}", description=description, policy=iam.document(*statements), opts=self._child_options
            )
            aws.iam.RolePolicyAttachment(
                f"{name}-{part}", role=role.name, policy_arn=policy.arn, opts=self._child_options
            )
        return role
