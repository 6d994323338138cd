"""A challenger is compared with the champion on the same lesions, and passes the gates or not."""

from pathlib import Path

import numpy as np
import pytest

from contract.errors import DatasetError
from operations.comparison.compare import Comparison, ComparisonPictures, compare
from operations.comparison.report import as_json, as_markdown, as_text
from tests.tiny_bundle import write_tiny_bundle
from training.artifact.held_out import read_held_out
from training.evaluation.bootstrap import RESAMPLES
from training.evaluation.metrics import balanced_accuracy
from training.evaluation.robustness.names import GROUPS, NAMES


@pytest.fixture(scope="module")
def better(models: dict[str, Path]) -> Comparison:
    return compare(models["good"], models["fair"])


def test_a_better_model_passes_every_gate(better: Comparison) -> None:
    change = better.changes.metrics["balanced_accuracy"]
    assert change.change.low > 0
    assert [gate.gate for gate in better.gates if not gate.passed] == []
    assert better.passed


def test_a_worse_model_does_not_pass_and_the_gate_is_named(models: dict[str, Path]) -> None:
    worse = compare(models["bad"], models["good"])
    assert not worse.passed
    assert "balanced accuracy" in [gate.gate for gate in worse.gates if not gate.passed]
    assert "does not pass (balanced accuracy" in as_text(worse)


def test_a_model_compared_with_itself_does_not_change_and_passes(models: dict[str, Path]) -> None:
    same = compare(models["good"], models["good"])
    assert same.passed
    for change in same.changes.metrics.values():
        assert (change.change.value, change.change.low, change.change.high) == (0, 0, 0)


def test_the_interval_is_that_of_the_differences_on_the_same_resampled_lesions(
    better: Comparison, models: dict[str, Path]
) -> None:
    """Compared with a plain implementation, with other random numbers."""
    good, fair = read_held_out(models["good"]), read_held_out(models["fair"])
    assert good is not None
    assert fair is not None
    truth, lesions = good.rows["class_index"].to_numpy(), good.rows["lesion_id"].to_numpy()
    names = np.unique(lesions)
    random, differences = np.random.default_rng(1), []
    for _ in range(RESAMPLES // 4):
        drawn = np.concatenate([np.flatnonzero(lesions == name) for name in random.choice(names, len(names))])
        both = [balanced_accuracy(model.probabilities[drawn].argmax(axis=1), truth[drawn]) for model in (good, fair)]
        differences.append(both[0] - both[1])
    change = better.changes.metrics["balanced_accuracy"].change
    assert np.percentile(differences, (2.5, 97.5)) == pytest.approx((change.low, change.high), abs=0.03)


def test_a_comparison_has_metrics_classes_groups_and_costs(better: Comparison) -> None:
    assert {"balanced_accuracy", "macro_f1", "any_malignant_sensitivity", "melanoma_sensitivity", "ece"} <= set(
        better.changes.metrics
    )
    assert set(better.changes.per_class) == {"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"}
    assert {"age", "sex"} <= {column for column, groups in better.changes.slices.items() if groups}
    assert all(cost.picture_ms > 0 and cost.model_mb > 0 for cost in better.costs)


def test_the_report_is_text_markdown_and_json(better: Comparison) -> None:
    text, markdown, values = as_text(better), as_markdown(better), as_json(better)
    shown = f"{better.changes.metrics['balanced_accuracy'].change.value:+.3f}"
    for report in (text, markdown):
        assert shown in report
        assert "The challenger passes every gate and may replace the champion." in report
        assert "84 pictures of 64 lesions" in report
    assert markdown.count("| passes |") == len(better.gates) == 6 + len(GROUPS)
    assert values["passed"] is True
    assert values["metrics"]["balanced_accuracy"]["change"]["low"] > 0


def test_models_of_different_splits_are_not_compared(models: dict[str, Path]) -> None:
    with pytest.raises(DatasetError, match=r"not measured on the same lesions .* with --data"):
        compare(models["other split"], models["good"])


def test_a_bundle_without_predictions_is_refused_with_advice(models: dict[str, Path]) -> None:
    with pytest.raises(DatasetError, match=rf"{models['old'].name} was made before .* with --data"):
        compare(models["good"], models["old"])


def test_both_models_can_classify_other_pictures(
    models: dict[str, Path], synthetic_dir: Path, tmp_path: Path, better: Comparison
) -> None:
    pictures = ComparisonPictures(folder=synthetic_dir, metadata=None, cache=tmp_path, robustness=1)
    comparison = compare(models["old"], models["fair"], pictures)
    assert comparison.changes.pictures == 84
    expected = better.changes.metrics["balanced_accuracy"]
    found = comparison.changes.metrics["balanced_accuracy"]
    assert (found.challenger, found.champion) == pytest.approx((expected.challenger, expected.champion))
    assert "another set than the one" in comparison.scope
    assert comparison.robustness == (None, None)  # one picture is too few
    assert not comparison.gates[-1].passed


def test_both_models_answer_the_same_changes_of_other_pictures(synthetic_dir: Path, tmp_path: Path) -> None:
    first, second = (
        write_tiny_bundle(tmp_path / name, size=32, seed=seed, malignant_threshold=0.0)  # see_a_doctor for everything
        for name, seed in (("first", 0), ("second", 1))
    )
    progress: list[str] = []
    pictures = ComparisonPictures(
        folder=synthetic_dir,
        metadata=None,
        cache=tmp_path,
        on_progress=lambda step, done, total: progress.append(step),
        robustness=24,
    )
    comparison = compare(first, second, pictures)
    for measured in comparison.robustness:
        assert measured is not None
        assert list(measured.changes) == list(NAMES)
    gates = comparison.gates[-len(GROUPS) :]
    assert all(gate.passed for gate in gates)
    assert gates[0].sentence.startswith("0.0% become low_risk, champion 0.0%")
    assert {f"changing malignant pictures with {bundle.name}" for bundle in (first, second)} <= set(progress)
    assert as_json(comparison)["robustness"]["champion"]["changes"].keys() == NAMES.keys()
