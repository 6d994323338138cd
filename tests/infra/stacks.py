"""Runs the Pulumi program for the tests, with an account whose ARNs and ids follow from the resources' names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.config import PROJECT
from infra.stack_file import read_stack_file
from infra.terraform_check.program_run import ProgramRun, Resource, run_program

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
IMAGES = {"classifyImage": f"{REGISTRY}/lesion-classify:1", "pageImage": f"{REGISTRY}/lesion-page:1"}


class Program(ProgramRun):
    """One run of the program, with methods to find resources."""

    def of(self, kind: str) -> list[Resource]:
        """List every resource of a type, named by the end of its token: "s3/bucket:Bucket"."""
        return [resource for resource in self.resources if resource.type == f"aws:{kind}"]

    def one(self, kind: str, name: str | None = None) -> Resource:
        """Find the only resource of a type, or of that type and name."""
        (found,) = [r for r in self.of(kind) if name is None or r.name == name]
        return found

    def statements(self, role: str) -> list[dict[str, Any]]:
        """List all statements of the policies that belong to a role, by its name."""
        own = [r.json("policy")["Statement"] for r in self.of("iam/rolePolicy:RolePolicy") if r.name == role]
        return [statement for document in own for statement in document]


class _Account:
    """An account that creates whatever it is asked for."""

    def create(self, resource: Resource) -> tuple[str, dict[str, Any]]:
        name = resource.name
        outputs = {
            "arn": f"arn:{resource.type.split('/')[0]}:{name}",
            "name": f"{name}-0a1b2c3",
            "bucket": f"{name}-0a1b2c3",
            "keyId": f"{name}-id",
            "repositoryUrl": f"{REGISTRY}/{name}-0a1b2c3",
            "apiEndpoint": "https://abcdef.execute-api.us-east-1.amazonaws.com",
            "executionArn": f"arn:aws:execute-api:us-east-1:{ACCOUNT}:abcdef",
            "invokeArn": f"arn:invoke:{name}",
            "domainName": "d1234.cloudfront.net",
            "dnsName": "internal-page.elb.amazonaws.com",
            "arnSuffix": f"suffix/{name}",
            "version": "1",
        }
        return f"{name}-id", {**outputs, **resource.inputs}

    def look_up(self, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, dict[str, Any]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": ["a", "b", "c"]},
            "aws:ec2/getSecurityGroup:getSecurityGroup": {"id": f"sg-of-{json.dumps(arguments, sort_keys=True)}"},
            "aws:secretsmanager/getRandomPassword:getRandomPassword": {"randomPassword": "drawn" * 10},
        }
        return known[token]


def stack_file(stack: str) -> dict[str, str]:
    """Read the configuration of an example stack."""
    return read_stack_file(ROOT, stack)


def run(stack: str, config: Mapping[str, str]) -> Program:
    """Run the program for a stack."""
    return Program(**vars(run_program(stack, config, _Account())))


def deployed(stack: str, **keys: str) -> Program:
    """Run an example stack with both images and further keys; the run must succeed."""
    own = {f"{PROJECT}:{key}": value for key, value in {**IMAGES, **keys}.items()}
    program = run(stack, {**stack_file(stack), **own})
    assert program.error is None, program.error
    return program
