"""The policy pack that Pulumi starts, with the rules of infra/policies.py."""

from pulumi_policy import PolicyPack

from infra.policies import POLICIES

PolicyPack("skin-lesion-analyzer", policies=POLICIES)
