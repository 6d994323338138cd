"""The function as it is provisioned: its environment, its limits, its alias, and what happens to failed events."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from contract.batch import MAX_ITEMS
from functions.classify.metrics import DIMENSION_VALUES, METRICS, SERVICE
from functions.classify.settings import NAMESPACE, Settings
from infra.cloudwatch.alarms import LOAD_FAILURES
from infra.cloudwatch.sources import OUTCOMES
from infra.cloudwatch.sources import SERVICE as WATCHED_SERVICE
from infra.config import MAX_BATCH
from infra.inference.function import METRICS_NAMESPACE
from tests.infra.stacks import Program, Registered, deployed

ROOT = Path(__file__).parents[3]
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
LAMBDAS_OWN = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_REGION", "AWS_DEFAULT_REGION"}
LOCAL_STACKS = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"}
LEFT_TO_DEFAULTS = {"MODEL_CACHE"}  # the temporary folder is the only one that Lambda lets it write to
POWERTOOLS = {"LOG_LEVEL"}  # read by Powertools, not by our settings


class Recording(dict[str, str]):
    """An environment that remembers what it was asked for."""

    asked: set[str]

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.__dict__.setdefault("asked", set()).add(key)
        return super().get(key, default)


@pytest.fixture(params=["dev", "prod"])
def whole(request: pytest.FixtureRequest) -> Program:
    found: Program = request.getfixturevalue(request.param)
    return found


def function_of(program: Program) -> Registered:
    return program.one("lambda/function:Function")


def environment_of(program: Program) -> Mapping[str, str]:
    variables: Mapping[str, str] = function_of(program).inputs["environment"]["variables"]
    return variables


def test_the_stack_sets_the_very_variables_that_the_functions_settings_read(whole: Program) -> None:
    environment = Recording(environment_of(whole))
    Settings.from_env(environment)
    assert environment.asked - LAMBDAS_OWN - LOCAL_STACKS - LEFT_TO_DEFAULTS == set(environment) - POWERTOOLS


def test_the_settings_understand_what_the_stack_sets(dev: Program, prod: Program) -> None:
    for stack, program in (("dev", dev), ("prod", prod)):
        settings = Settings.from_env(environment_of(program))
        assert settings.model_uri is None  # answers 503 until a first model is promoted
        assert settings.metrics_namespace == f"{NAMESPACE}/{stack}"
    assert environment_of(dev)["LOG_LEVEL"] == "INFO"


def test_nothing_lambda_reserves_is_set(whole: Program) -> None:
    assert not LAMBDAS_OWN & set(environment_of(whole))


def test_a_promotion_is_not_undone_by_the_next_deployment(whole: Program) -> None:
    assert function_of(whole).ignored == ("environment.variables.MODEL_URI",)
    alias = whole.one("lambda/alias:Alias")
    assert set(alias.ignored) == {"functionVersion", "routingConfig"}
    assert alias.inputs["name"] == "live"
    assert function_of(whole).inputs["publish"] is True


def test_memory_timeout_and_concurrency_come_from_the_configuration() -> None:
    program = deployed("prod", functionMemoryMb="3538", functionTimeoutS="20", functionReservedConcurrency="30")
    inputs = function_of(program).inputs
    assert (inputs["memorySize"], inputs["timeout"], inputs["reservedConcurrentExecutions"]) == (3538, 20, 30)
    kept_warm = program.one("lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig").inputs
    assert (kept_warm["provisionedConcurrentExecutions"], kept_warm["qualifier"]) == (1, "live")


def test_a_cheap_stack_reserves_nothing(dev: Program) -> None:
    assert function_of(dev).inputs["reservedConcurrentExecutions"] == -1  # Lambda's word for none
    assert dev.of("lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig") == []


def test_it_is_the_image_traced_and_encrypted(whole: Program) -> None:
    inputs = function_of(whole).inputs
    assert (inputs["packageType"], inputs["architectures"]) == ("Image", ["x86_64"])
    assert inputs["imageUri"].endswith("lesion-classify:1")
    assert inputs["tracingConfig"] == {"mode": "Active"}
    assert inputs["kmsKeyArn"].startswith("arn:aws:kms:")


def test_events_that_fail_are_put_aside_and_kept_for_two_weeks(whole: Program) -> None:
    queue = whole.one("sqs/queue:Queue")
    assert queue.inputs["messageRetentionSeconds"] == 14 * 24 * 3600
    arn = f"arn:aws:sqs:{queue.name}"
    assert function_of(whole).inputs["deadLetterConfig"] == {"targetArn": arn}
    called = whole.one("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig").inputs
    assert called["destinationConfig"] == {"onFailure": {"destination": arn}}
    assert called["qualifier"] == "live"


@pytest.mark.parametrize(("level", "kept_from"), [("DEBUG", "DEBUG"), ("INFO", "INFO"), ("ERROR", "INFO")])
def test_metrics_pass_lambdas_own_filter_whatever_the_log_level(level: str, kept_from: str) -> None:
    program = deployed("dev", logLevel=level)
    logging = function_of(program).inputs["loggingConfig"]
    assert environment_of(program)["LOG_LEVEL"] == level
    assert (logging["logFormat"], logging["applicationLogLevel"]) == ("JSON", kept_from)
    assert logging["systemLogLevel"] == "INFO"  # the line with the init time is of that level


def test_what_is_watched_is_what_the_function_tells() -> None:
    assert METRICS_NAMESPACE == NAMESPACE
    assert WATCHED_SERVICE == SERVICE
    assert set(OUTCOMES) == DIMENSION_VALUES["outcome"]
    from contract.errors import ModelUnavailableError, error_classes

    unavailable = {e.code for e in error_classes() if issubclass(e, ModelUnavailableError)}
    assert {code for _, code, _ in LOAD_FAILURES} == unavailable
    used = {"Predictions", "Outcomes", "Refusals", "TotalTime", "ColdStart", "ModelLoadTime", "ModelLoadFailures"}
    assert used | {"UnfamiliarScore", "Confidence"} <= set(METRICS)


def test_batches_are_no_larger_than_the_function_takes() -> None:
    assert MAX_BATCH == MAX_ITEMS


def test_the_image_that_lambda_gets_is_built_as_lambda_takes_it() -> None:
    deploy = (ROOT / "docs" / "deploy.md").read_text()
    builds = [line for line in deploy.splitlines() if re.search(r"docker (buildx )?build", line)]
    assert builds
    for line in builds:
        assert "--provenance=false" in line
        assert "--platform linux/amd64" in line
