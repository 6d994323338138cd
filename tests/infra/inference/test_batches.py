"""The state machine of batches agrees with the events of the function and with the input of `lesion batch`."""

import json
from typing import Any

from contract.batch import Batch, BatchRun
from tests.infra.stacks import Program, deployed

RUN = {"source": {"bucket": "pictures", "prefix": "2026/"}, "results": {"bucket": "answers", "prefix": "spring/"}}


def machine_of(program: Program) -> Any:
    (machine,) = [r for r in program.of("sfn/stateMachine:StateMachine") if r.name.endswith("batches")]
    return machine


def at(path: str, value: Any) -> Any:
    """Resolve a JSONPath of plain steps, as Step Functions does."""
    for step in path.removeprefix("$").removeprefix(".").split("."):
        value = value[step] if step else value
    return value


def test_the_function_gets_events_that_it_understands(dev: Program) -> None:
    pictures = machine_of(dev).json("definition")["States"]["Pictures"]
    reader = pictures["ItemReader"]
    assert reader["Resource"] == "arn:aws:states:::s3:listObjectsV2"
    listed = {key.removesuffix(".$"): at(path, RUN) for key, path in reader["Parameters"].items()}
    assert listed == {"Bucket": "pictures", "Prefix": "2026/"}
    assert pictures["ItemBatcher"]["BatchInput.$"] == "$"
    event = {"BatchInput": at("$", RUN), "Items": [{"Key": "2026/a.jpg", "Size": 1}]}
    assert Batch.model_validate(event).run == BatchRun.model_validate(RUN)
    classify = pictures["ItemProcessor"]["States"]["Classify"]
    assert classify["Parameters"] == {"FunctionName": "arn:aws:lambda:lesion-dev-classify", "Payload.$": "$"}
    assert pictures["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"


def test_the_result_of_the_run_is_next_to_the_rows(dev: Program) -> None:
    writer = machine_of(dev).json("definition")["States"]["Pictures"]["ResultWriter"]
    assert writer["Parameters"] == {
        "Bucket.$": "$.results.bucket",
        "Prefix.$": "States.Format('{}run', $.results.prefix)",
    }


def test_failures_are_retried_and_throttled_calls_most_often(dev: Program) -> None:
    classify = machine_of(dev).json("definition")["States"]["Pictures"]["ItemProcessor"]["States"]["Classify"]
    throttled, failed = classify["Retry"]
    assert "Lambda.TooManyRequestsException" in throttled["ErrorEquals"]
    assert failed["ErrorEquals"] == ["States.ALL"]
    assert throttled["MaxAttempts"] > failed["MaxAttempts"] > 0
    assert throttled["JitterStrategy"] == "FULL"


def test_batch_size_and_concurrency_come_from_the_configuration() -> None:
    program = deployed("dev", batchSize="20", batchConcurrency="3")
    pictures = machine_of(program).json("definition")["States"]["Pictures"]
    assert (pictures["ItemBatcher"]["MaxItemsPerBatch"], pictures["MaxConcurrency"]) == (20, 3)


def test_the_state_machine_is_traced_and_logs_errors_without_data(prod: Program) -> None:
    inputs = machine_of(prod).inputs
    assert inputs["tracingConfiguration"] == {"enabled": True}
    assert inputs["loggingConfiguration"]["level"] == "ERROR"
    assert inputs["loggingConfiguration"]["includeExecutionData"] is False
    assert inputs["name"] == "lesion-prod-batches"  # which its role names
    assert json.loads(inputs["definition"])["StartAt"] == "Pictures"
