"""Several versions of the function behind one alias, whose weights are Lambda's own."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest

from local import cloud
from local.emulator import FunctionFailedError, ThrottledError
from local.versions import IDLE_S, UnknownVersionError, VersionedFunction
from tests.loopback_aws import loopback_aws


class Answering:
    """A version that says who it is, fails or is throttled as its model tells."""

    def __init__(self, number: str, environment: Mapping[str, str]) -> None:
        self.number, self.model, self.stopped = number, environment["MODEL_URI"], False

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if self.model == "fails":
            raise FunctionFailedError("as told")
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
    """Lambda's records of a function with four versions; the alias serves the first."""
    import urllib3

    urllib3.request("POST", f"{endpoint}/moto-api/reset")
    aws = boto3.Session("test", "test", region_name=cloud.REGION)
    cloud.create_function(aws, endpoint, "first")
    client = aws.client("lambda", endpoint_url=endpoint)
    for model in ("second", "fails", "unavailable", "throttled"):
        client.update_function_configuration(FunctionName="classify", Environment={"Variables": {"MODEL_URI": model}})
        client.publish_version(FunctionName="classify")
    return client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made() -> dict[str, Answering]:
    return {}


@pytest.fixture
def function(functions: Any, clock: Clock, made: dict[str, Answering]) -> VersionedFunction:
    def make(number: str, environment: Mapping[str, str]) -> Answering:
        made[number] = Answering(number, environment)
        return made[number]

    return VersionedFunction(functions, "classify", "live", make, clock=clock)


def shift(functions: Any, version: str, others: dict[str, float]) -> None:
    functions.update_alias(
        FunctionName="classify",
        Name="live",
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": others},
    )


def test_traffic_is_split_by_the_weights_of_the_alias(functions: Any, function: VersionedFunction) -> None:
    shift(functions, "1", {"2": 0.3})
    answered = Counter(function.invoke({})["body"] for _ in range(2000))
    assert answered.keys() == {"1", "2"}
    assert answered["2"] == pytest.approx(600, abs=130)  # six standard deviations


def test_a_change_of_the_alias_is_noticed_within_a_second(
    functions: Any, function: VersionedFunction, clock: Clock
) -> None:
    assert function.invoke({})["body"] == "1"
    shift(functions, "2", {})
    assert function.invoke({})["body"] == "1"
    clock.now += 1
    assert function.invoke({})["body"] == "2"


def test_a_version_gets_its_own_environment_and_is_called_past_the_alias(
    function: VersionedFunction, made: dict[str, Answering]
) -> None:
    assert function.invoke_version("2", {})["body"] == "2"
    assert {number: of.model for number, of in made.items()} == {"2": "second"}
    assert function.invoke_version("live", {})["body"] == "1"
    for qualifier in ("9", "nobody"):
        with pytest.raises(UnknownVersionError):
            function.invoke_version(qualifier, {})


def test_failures_are_counted_for_those_that_the_alias_sent(
    functions: Any, function: VersionedFunction, clock: Clock
) -> None:
    with pytest.raises(FunctionFailedError):
        function.invoke_version("3", {})  # a check, and nobody's call
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
    assert [function.failed(number) for number in "12345"] == [0, 0, 1, 1, 0]


def test_a_version_that_the_alias_has_left_is_stopped_after_a_while(
    functions: Any, function: VersionedFunction, clock: Clock, made: dict[str, Answering]
) -> None:
    function.invoke({})
    shift(functions, "2", {})
    clock.now += 1
    function.invoke({})
    assert not made["1"].stopped
    clock.now += IDLE_S + 1
    function.invoke({})
    assert made["1"].stopped
    function.stop()
    assert made["2"].stopped
