"""Runs the Pulumi program in this process, without Pulumi's engine, and records every resource that it registers.

A monitor replaces the engine. It answers each registration at once, with outputs from the caller's account.
"""

import asyncio
import json
import runpy
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast

import pulumi
from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack

from infra.config import PROJECT

ENTRY: Final = Path(__file__).parents[1] / "__main__.py"
TIMEOUT_S: Final = 300


@dataclass(frozen=True)
class Resource:
    """One registered resource: inputs in camelCase as the engine gets them, secrets in plain text."""

    type: str  # Pulumi's token, such as "aws:s3/bucket:Bucket"
    name: str
    urn: str
    inputs: dict[str, Any]
    custom: bool  # False: a component, which is not a resource of AWS
    parent: str
    protect: bool
    retained: bool  # not deleted when the stack is destroyed
    ignored: tuple[str, ...]  # inputs whose later changes Pulumi ignores
    waits_for: frozenset[str]  # URNs of the resources that must exist first

    def json(self, key: str) -> Any:
        """Read an input that is a JSON document."""
        return json.loads(self.inputs[key])


class Account(Protocol):
    """Answers the program in place of AWS; it gets one call at a time."""

    def create(self, resource: Resource) -> tuple[str, dict[str, Any]]:
        """Return the id and the outputs of a resource that the program registers."""

    def look_up(self, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a data source, named by Pulumi's token."""


@dataclass
class ProgramRun:
    """What one run of the program registered and exported."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None  # that ended the run early


def run_program(stack: str, config: Mapping[str, str], account: Account) -> ProgramRun:
    """Run the program for one stack.

    Args:
        stack: its name.
        config: every value by "namespace:key".
        account: gives the outputs of resources and of data sources.

    Returns:
        what was registered; an error of the program is in `error`.
    """
    run = ProgramRun()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monitor = _Monitor(account, run)
    pulumi.runtime.set_mocks(_NO_MOCKS, project=PROJECT, stack=stack, preview=False, monitor=monitor)
    pulumi.runtime.settings.set_root_resource(None)  # type: ignore[arg-type]  # the run makes its own
    pulumi.runtime.set_all_config(dict(config))
    try:
        loop.run_until_complete(asyncio.wait_for(run_in_stack(_run_entry), TIMEOUT_S))
    except Exception as error:  # the program may raise any type
        run.error = error
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
    return run


_NO_MOCKS: Final = cast(Mocks, None)  # the monitor asks the account instead


def _run_entry() -> None:
    runpy.run_path(str(ENTRY), run_name="__main__")


class _Monitor(MockMonitor):
    """Records each request with its options, which pulumi's own mock monitor does not keep."""

    def __init__(self, account: Account, run: ProgramRun) -> None:
        super().__init__(_NO_MOCKS)
        self._account, self._run, self._lock = account, run, threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        resource = Resource(
            type=request.type,
            name=request.name,
            urn=urn,
            inputs=_plain(json_format.MessageToDict(request.object)),
            custom=request.custom,
            parent=request.parent,
            protect=request.protect,
            retained=request.retainOnDelete,
            ignored=tuple(request.ignoreChanges),
            waits_for=frozenset(request.dependencies),
        )
        with self._lock:
            self._run.resources.append(resource)
            resource_id, outputs = self._account.create(resource)
        state = json_format.ParseDict(outputs, Struct())
        return resource_pb2.RegisterResourceResponse(urn=urn, id=resource_id, object=state)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self._run.outputs = _plain(json_format.MessageToDict(request.outputs))
        return Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        args = _plain(json_format.MessageToDict(request.args))
        with self._lock:
            result = self._account.look_up(request.tok, args)
        return resource_pb2.ResourceInvokeResponse(**{"return": json_format.ParseDict(result, Struct())})


def _plain(value: Any) -> Any:
    """Unwrap secrets, and convert whole numbers to integers, which protobuf does not have."""
    if isinstance(value, dict):
        if rpc._special_sig_key in value and "value" in value:
            return _plain(value["value"])
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
