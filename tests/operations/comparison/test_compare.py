"""A challenger is compared with the champion over the same lesions, and gets a verdict by the stated gates."""

from pathlib import Path

import numpy as np
import pytest

from contract.errors import DatasetError
from operations.comparison.compare import Comparison, Labelled, compare
from operations.comparison.wording import as_json, as_markdown, as_text
from training.artifact.held_out import read_held_out
from training.evaluation.bootstrap import RESAMPLES
from training.evaluation.metrics import balanced_accuracy


@pytest.fixture(scope="module")
def better(models: dict[str, Path]) -> Comparison:
    return compare(models["good"], models["fair"])


def test_a_better_model_passes_every_gate(better: Comparison) -> None:
    change = better.changes.metrics["balanced_accuracy"]
    assert change.change.low > 0
    assert [ruling.gate for ruling in better.rulings if not ruling.passed] == []
    assert better.passed


def test_a_worse_model_does_not_pass_and_the_gate_is_named(models: dict[str, Path]) -> None:
    worse = compare(models["bad"], models["good"])
    assert not worse.passed
    assert "balanced accuracy" in [ruling.gate for ruling in worse.rulings if not ruling.passed]
    assert "does not pass (balanced accuracy" in as_text(worse)


def test_a_model_beside_itself_changes_nothing_and_passes(models: dict[str, Path]) -> None:
    same = compare(models["good"], models["good"])
    assert same.passed
    for change in same.changes.metrics.values():
        assert (change.change.value, change.change.low, change.change.high) == (0, 0, 0)


def test_the_interval_is_that_of_both_models_on_the_same_resampled_lesions(
    better: Comparison, models: dict[str, Path]
) -> None:
    """Worked out once more the long way, with other random numbers."""
    one, other = read_held_out(models["good"]), read_held_out(models["fair"])
    assert one is not None
    assert other is not None
    truth, lesions = one.rows["class_index"].to_numpy(), one.rows["lesion_id"].to_numpy()
    named = np.unique(lesions)
    random, differences = np.random.default_rng(1), []
    for _ in range(RESAMPLES // 4):
        drawn = np.concatenate([np.flatnonzero(lesions == name) for name in random.choice(named, len(named))])
        both = [balanced_accuracy(of.probabilities[drawn].argmax(axis=1), truth[drawn]) for of in (one, other)]
        differences.append(both[0] - both[1])
    change = better.changes.metrics["balanced_accuracy"].change
    assert np.percentile(differences, (2.5, 97.5)) == pytest.approx((change.low, change.high), abs=0.03)


def test_everything_asked_of_a_comparison_is_in_it(better: Comparison) -> None:
    assert {"balanced_accuracy", "macro_f1", "any_malignant_sensitivity", "melanoma_sensitivity", "ece"} <= set(
        better.changes.metrics
    )
    assert set(better.changes.per_class) == {"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"}
    assert {"age", "sex"} <= {by for by, each in better.changes.slices.items() if each}
    assert all(cost.picture_ms > 0 and cost.model_mb > 0 for cost in better.costs)


def test_it_is_worded_for_terminals_pull_requests_and_programs(better: Comparison) -> None:
    text, markdown, plain = as_text(better), as_markdown(better), as_json(better)
    shown = f"{better.changes.metrics['balanced_accuracy'].change.value:+.3f}"
    for words in (text, markdown):
        assert shown in words
        assert "The challenger passes every gate and may replace the champion." in words
        assert "84 pictures of 64 lesions" in words
    assert markdown.count("| passes |") == len(better.rulings) == 6
    assert plain["passed"] is True
    assert plain["metrics"]["balanced_accuracy"]["change"]["low"] > 0


def test_models_of_different_splits_are_not_paired(models: dict[str, Path]) -> None:
    with pytest.raises(DatasetError, match=r"not measured on the same lesions .* with --data"):
        compare(models["elsewhere"], models["good"])


def test_a_bundle_of_earlier_days_is_not_paired_and_that_is_told(models: dict[str, Path]) -> None:
    with pytest.raises(DatasetError, match=rf"{models['old'].name} was made before .* with --data"):
        compare(models["good"], models["old"])


def test_both_can_be_asked_about_given_pictures(
    models: dict[str, Path], synthetic_dir: Path, tmp_path: Path, better: Comparison
) -> None:
    asked = compare(models["old"], models["fair"], Labelled(folder=synthetic_dir, metadata=None, cache=tmp_path))
    assert asked.changes.pictures == 84
    expected = better.changes.metrics["balanced_accuracy"]
    found = asked.changes.metrics["balanced_accuracy"]
    assert (found.challenger, found.champion) == pytest.approx((expected.challenger, expected.champion))
    assert "another set than the one" in asked.scope
