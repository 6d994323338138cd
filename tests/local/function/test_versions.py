"""Versions of the function behind one alias, routed by the weights that Lambda's API returns."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest

from local import resources
from local.function.concurrency import ThrottledError
from local.function.emulator import FunctionFailedError
from local.function.versions import IDLE_S, UnknownVersionError, VersionedFunction
from tests.loopback_aws import loopback_aws


class FakeVersion:
    """A version that returns its number, fails or is throttled; its MODEL_URI says which."""

    def __init__(self, number: str, environment: Mapping[str, str]) -> None:
        self.number, self.model, self.stopped = number, environment["MODEL_URI"], False

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if self.model == "fails":
            raise FunctionFailedError("a failure of the test")
        if self.model == "throttled":
            raise ThrottledError
        return {"statusCode": 503 if self.model == "unavailable" else 200, "body": self.number}

    def stop(self) -> None:
        self.stopped = True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with loopback_aws() as url:
        yield url


@pytest.fixture
def functions(endpoint: str) -> Any:
    """A client of Lambda, where a function has five versions and the alias points to the first."""
    import urllib3

    urllib3.request("POST", f"{endpoint}/moto-api/reset")
    aws = boto3.Session("test", "test", region_name=resources.REGION)
    resources.create_function(aws, endpoint, "first")
    client = aws.client("lambda", endpoint_url=endpoint)
    for model in ("second", "fails", "unavailable", "throttled"):
        client.update_function_configuration(FunctionName="classify", Environment={"Variables": {"MODEL_URI": model}})
        client.publish_version(FunctionName="classify")
    return client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def started() -> dict[str, FakeVersion]:
    return {}


@pytest.fixture
def function(functions: Any, clock: Clock, started: dict[str, FakeVersion]) -> VersionedFunction:
    def start_version(number: str, environment: Mapping[str, str]) -> FakeVersion:
        started[number] = FakeVersion(number, environment)
        return started[number]

    return VersionedFunction(functions, "classify", "live", start_version, clock=clock)


def shift(functions: Any, version: str, others: dict[str, float]) -> None:
    functions.update_alias(
        FunctionName="classify",
        Name="live",
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": others},
    )


def test_traffic_is_split_by_the_weights_of_the_alias(functions: Any, function: VersionedFunction) -> None:
    shift(functions, "1", {"2": 0.3})
    calls = Counter(function.invoke({})["body"] for _ in range(2000))
    assert calls.keys() == {"1", "2"}
    assert calls["2"] == pytest.approx(600, abs=130)  # six standard deviations


def test_a_change_of_the_alias_takes_effect_within_a_second(
    functions: Any, function: VersionedFunction, clock: Clock
) -> None:
    assert function.invoke({})["body"] == "1"
    shift(functions, "2", {})
    assert function.invoke({})["body"] == "1"
    clock.now += 1
    assert function.invoke({})["body"] == "2"


def test_a_version_gets_its_own_environment_variables_and_can_be_called_directly(
    function: VersionedFunction, started: dict[str, FakeVersion]
) -> None:
    assert function.invoke_version("2", {})["body"] == "2"
    assert {number: version.model for number, version in started.items()} == {"2": "second"}
    assert function.invoke_version("live", {})["body"] == "1"
    for qualifier in ("9", "no-such-alias"):
        with pytest.raises(UnknownVersionError):
            function.invoke_version(qualifier, {})


def test_failures_are_counted_for_calls_through_the_alias_only(
    functions: Any, function: VersionedFunction, clock: Clock
) -> None:
    with pytest.raises(FunctionFailedError):
        function.invoke_version("3", {})  # a direct call is not counted
    shift(functions, "3", {})
    with pytest.raises(FunctionFailedError):
        function.invoke({})
    shift(functions, "4", {})
    clock.now += 1
    assert function.invoke({})["statusCode"] == 503
    shift(functions, "5", {})
    clock.now += 1
    with pytest.raises(ThrottledError):
        function.invoke({})
    assert [function.failures(number) for number in "12345"] == [0, 0, 1, 1, 0]


def test_a_version_without_traffic_is_stopped_after_a_while(
    functions: Any, function: VersionedFunction, clock: Clock, started: dict[str, FakeVersion]
) -> None:
    function.invoke({})
    shift(functions, "2", {})
    clock.now += 1
    function.invoke({})
    assert not started["1"].stopped
    clock.now += IDLE_S + 1
    function.invoke({})
    assert started["1"].stopped
    function.stop()
    assert started["2"].stopped
