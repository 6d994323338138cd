"""Each gate passes at its limit and fails beyond it."""

import pytest

from contract.api import Metric
from operations.comparison.gates import apply_gates
from operations.comparison.paired_bootstrap import Change, Changes
from operations.comparison.serving_cost import ServingCost


def changes(**metric_changes: float) -> Changes:
    """Changes of the metrics, each with an interval of plus and minus 0.01; 0 by default."""
    values = {"balanced_accuracy": 0.0, "melanoma_sensitivity": 0.0, "any_malignant_sensitivity": 0.0, "ece": 0.0}
    values |= metric_changes
    metrics = {
        name: Change(0.5 + value, 0.5, Metric(value=value, low=value - 0.01, high=value + 0.01))
        for name, value in values.items()
    }
    return Changes(pictures=9, lesions=9, metrics=metrics, per_class={}, slices={})


COST = ServingCost(picture_ms=100.0, model_mb=20.0)


@pytest.mark.parametrize(
    ("metric", "passing", "failing", "gate"),
    [
        ("balanced_accuracy", -0.0099, -0.0101, "balanced accuracy"),
        ("melanoma_sensitivity", 0.0, -0.001, "melanoma sensitivity"),
        ("any_malignant_sensitivity", -0.02, -0.021, "malignant sensitivity"),
        ("ece", 0.01, 0.011, "calibration"),
    ],
)
def test_a_metric_may_change_up_to_its_limit(metric: str, passing: float, failing: float, gate: str) -> None:
    assert all(gate.passed for gate in apply_gates(changes(**{metric: passing}), COST, COST))
    failed = [result.gate for result in apply_gates(changes(**{metric: failing}), COST, COST) if not result.passed]
    assert failed == [gate]


@pytest.mark.parametrize(
    ("cost", "failed"),
    [
        (ServingCost(picture_ms=125.0, model_mb=25.0), []),
        (ServingCost(picture_ms=126.0, model_mb=20.0), ["time"]),
        (ServingCost(picture_ms=100.0, model_mb=25.1), ["size"]),
    ],
)
def test_time_and_size_may_grow_up_to_their_limits(cost: ServingCost, failed: list[str]) -> None:
    assert [result.gate for result in apply_gates(changes(), cost, COST) if not result.passed] == failed


def test_a_small_difference_in_time_counts_as_none() -> None:
    slow, fast = ServingCost(picture_ms=4.0, model_mb=20.0), ServingCost(picture_ms=1.0, model_mb=20.0)
    assert all(gate.passed for gate in apply_gates(changes(), slow, fast))


def test_a_gate_whose_metric_cannot_be_measured_fails() -> None:
    empty = Changes(pictures=9, lesions=9, metrics={}, per_class={}, slices={})
    failed = [result for result in apply_gates(empty, COST, COST) if not result.passed]
    assert len(failed) == 4
    assert {result.sentence for result in failed} == {"cannot be measured on these pictures"}
