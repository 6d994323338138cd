"""Runs the Pulumi program without Pulumi's engine: what each stack registers, and what it tells at its end."""

import asyncio
import contextlib
import json
import runpy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime.mocks import MockMonitor, Mocks
from pulumi.runtime.stack import run_in_stack

ROOT = Path(__file__).parents[2]
PROJECT = "skin-lesion-analyzer"
ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
IMAGES = {"classifyImage": f"{REGISTRY}/lesion-classify:1", "pageImage": f"{REGISTRY}/lesion-page:1"}


@dataclass(frozen=True)
class Registered:
    """One resource as the engine would get it: inputs in camelCase, JSON documents as text."""

    type: str
    name: str
    inputs: dict[str, Any]
    custom: bool
    parent: str
    protect: bool
    retained: bool
    ignored: tuple[str, ...]
    waits_for: frozenset[str]  # URNs of all that must be there before it

    def json(self, key: str) -> Any:
        """Read an input that is a JSON document."""
        return json.loads(self.inputs[key])


@dataclass
class Program:
    """What one run of the program did."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None

    def of(self, kind: str) -> list[Registered]:
        """Every resource of a type, named by the end of its token: "s3/bucket:Bucket"."""
        return [resource for resource in self.resources if resource.type == f"aws:{kind}"]

    def one(self, kind: str, name: str | None = None) -> Registered:
        """The only resource of a type, or of that type and name."""
        (found,) = [r for r in self.of(kind) if name is None or r.name == name]
        return found

    def statements(self, role: str) -> list[dict[str, Any]]:
        """All statements of the policies that belong to a role, by its name."""
        own = [r.json("policy")["Statement"] for r in self.of("iam/rolePolicy:RolePolicy") if r.name == role]
        return [statement for document in own for statement in document]


class _Account(Mocks):
    """An account in which whatever is asked for comes to be, with names that can be told from inputs."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made = {
            "arn": f"arn:{args.typ.split('/')[0]}:{args.name}",
            "name": f"{args.name}-0a1b2c3",
            "bucket": f"{args.name}-0a1b2c3",
            "keyId": f"{args.name}-id",
            "repositoryUrl": f"{REGISTRY}/{args.name}-0a1b2c3",
            "apiEndpoint": "https://abcdef.execute-api.us-east-1.amazonaws.com",
            "executionArn": f"arn:aws:execute-api:us-east-1:{ACCOUNT}:abcdef",
            "invokeArn": f"arn:invoke:{args.name}",
            "domainName": "d1234.cloudfront.net",
            "dnsName": "internal-page.elb.amazonaws.com",
            "arnSuffix": f"suffix/{args.name}",
            "version": "1",
        }
        return f"{args.name}-id", {**made, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        known: dict[str, dict[str, Any]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": ["a", "b", "c"]},
            "aws:ec2/getSecurityGroup:getSecurityGroup": {"id": f"sg-of-{json.dumps(args.args, sort_keys=True)}"},
            "aws:secretsmanager/getRandomPassword:getRandomPassword": {"randomPassword": "drawn" * 10},
        }
        return known[args.token]


class _Monitor(MockMonitor):  # type: ignore[misc]
    """Keeps each registration whole: the mocks alone do not see options."""

    def __init__(self, mocks: Mocks, program: Program) -> None:
        super().__init__(mocks)
        self._program, self._lock = program, threading.Lock()
        self._loops: set[asyncio.AbstractEventLoop] = set()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        if request.type != "pulumi:pulumi:Stack":
            inputs = _plain(pulumi.runtime.rpc.deserialize_properties(request.object, keep_unknowns=True))
            kept = Registered(
                type=request.type,
                name=request.name,
                inputs=inputs,
                custom=request.custom,
                parent=request.parent,
                protect=request.protect,
                retained=request.retainOnDelete,
                ignored=tuple(request.ignoreChanges),
                waits_for=frozenset(request.dependencies),
            )
            with self._lock:
                self._program.resources.append(kept)
        return self._remembering(super().RegisterResource, request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self._program.outputs = _plain(pulumi.runtime.rpc.deserialize_properties(request.outputs))
        return self._remembering(super().RegisterResourceOutputs, request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        return self._remembering(super().Invoke, request)

    def _remembering(self, answer: Callable[[Any], Any], request: Any) -> Any:
        """Answer, and remember the event loop that Pulumi's mocks leave in each thread."""
        answered = answer(request)
        with self._lock, contextlib.suppress(RuntimeError):  # this thread has none
            self._loops.add(asyncio.get_event_loop())
        return answered

    def close(self) -> None:
        for loop in self._loops:
            loop.close()


def _plain(value: Any) -> Any:
    """Take the marks of secrets away."""
    if isinstance(value, dict):
        if pulumi.runtime.rpc._special_sig_key in value and "value" in value:
            return _plain(value["value"])
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def stack_file(stack: str) -> dict[str, str]:
    """Read an example stack as the engine hands it over: every value as text."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def run(stack: str, config: Mapping[str, str]) -> Program:
    """Run the program for a stack."""
    program = Program()
    monitor = _Monitor(_Account(), program)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(monitor.mocks, project=PROJECT, stack=stack, preview=False, monitor=monitor)
    pulumi.runtime.settings.set_root_resource(None)
    pulumi.runtime.set_all_config(dict(config))

    async def inside() -> None:
        await run_in_stack(lambda: runpy.run_path(str(ROOT / "infra" / "__main__.py"), run_name="__main__"))

    try:
        loop.run_until_complete(asyncio.wait_for(inside(), 300))
    except Exception as error:  # what the program refused is for the test to read
        program.error = error
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        monitor.close()
        loop.close()
        asyncio.set_event_loop(None)
    return program


def deployed(stack: str, **more: str) -> Program:
    """Run an example stack with both images and further keys; it must go through."""
    own = {f"{PROJECT}:{key}": value for key, value in {**IMAGES, **more}.items()}
    program = run(stack, {**stack_file(stack), **own})
    assert program.error is None, program.error
    return program
