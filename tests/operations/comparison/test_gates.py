"""Each gate holds at its limit and not beyond it."""

import pytest

from contract.api import Metric
from operations.comparison.gates import judge
from operations.comparison.paired_bootstrap import Change, Changes
from operations.comparison.serving_cost import Cost


def changes(**of: float) -> Changes:
    """Changes of the metrics, each with an interval of 0.01 to each side."""
    values = {"balanced_accuracy": 0.0, "melanoma_sensitivity": 0.0, "any_malignant_sensitivity": 0.0, "ece": 0.0, **of}
    metrics = {
        name: Change(0.5 + value, 0.5, Metric(value=value, low=value - 0.01, high=value + 0.01))
        for name, value in values.items()
    }
    return Changes(pictures=9, lesions=9, metrics=metrics, per_class={}, slices={})


COST = Cost(picture_ms=100.0, model_mb=20.0)


@pytest.mark.parametrize(
    ("metric", "passing", "failing", "gate"),
    [
        ("balanced_accuracy", -0.0099, -0.0101, "balanced accuracy"),
        ("melanoma_sensitivity", 0.0, -0.001, "melanoma sensitivity"),
        ("any_malignant_sensitivity", -0.02, -0.021, "malignant sensitivity"),
        ("ece", 0.01, 0.011, "calibration"),
    ],
)
def test_what_is_measured_may_fall_so_far(metric: str, passing: float, failing: float, gate: str) -> None:
    assert all(ruling.passed for ruling in judge(changes(**{metric: passing}), COST, COST))
    failed = [ruling.gate for ruling in judge(changes(**{metric: failing}), COST, COST) if not ruling.passed]
    assert failed == [gate]


@pytest.mark.parametrize(
    ("cost", "failed"),
    [
        (Cost(picture_ms=125.0, model_mb=25.0), []),
        (Cost(picture_ms=126.0, model_mb=20.0), ["time"]),
        (Cost(picture_ms=100.0, model_mb=25.1), ["size"]),
    ],
)
def test_what_it_costs_may_rise_so_far(cost: Cost, failed: list[str]) -> None:
    assert [ruling.gate for ruling in judge(changes(), cost, COST) if not ruling.passed] == failed


def test_a_ratio_of_times_that_nobody_feels_counts_for_nothing() -> None:
    slow, fast = Cost(picture_ms=4.0, model_mb=20.0), Cost(picture_ms=1.0, model_mb=20.0)
    assert all(ruling.passed for ruling in judge(changes(), slow, fast))


def test_what_cannot_be_measured_does_not_pass() -> None:
    empty = Changes(pictures=9, lesions=9, metrics={}, per_class={}, slices={})
    failed = [ruling for ruling in judge(empty, COST, COST) if not ruling.passed]
    assert len(failed) == 4
    assert {ruling.sentence for ruling in failed} == {"cannot be measured on these pictures"}
