"""The policy pack starts in the same way as Pulumi starts it, and offers every rule."""

import os
import subprocess
import sys
from pathlib import Path

import grpc  # type: ignore[import-untyped]
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub

from infra.policies import POLICIES

ROOT = Path(__file__).parents[2]


def test_the_policy_pack_offers_every_rule() -> None:
    pack = ROOT / "infra" / "policy_pack"
    command = [sys.executable, "-W", "ignore", str(pack), "127.0.0.1:1", str(pack)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with subprocess.Popen(command, cwd=pack, env=environment, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            port = int(started.stdout.readline())  # what Pulumi's engine reads first
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                offered = AnalyzerStub(channel).GetAnalyzerInfo(Empty(), timeout=20)
        finally:
            started.kill()
    assert {policy.name for policy in offered.policies} == {policy.name for policy in POLICIES}
    assert all(policy.description for policy in offered.policies)
