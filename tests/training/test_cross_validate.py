"""Cross-validation: each picture is predicted once, by a model not trained on its lesion, and no model is kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from contract.errors import DatasetError
from training.config import TrainingConfig
from training.cross_validate import CrossValidated, cross_validate

CONFIG = TrainingConfig(size=32, weights="none", images=84, head_epochs=1, fine_tune_epochs=0, batch_size=16)


@pytest.fixture(scope="module")
def cross_validated(pictures_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> CrossValidated:
    out = tmp_path_factory.mktemp("out") / "report"
    return cross_validate(CONFIG, pictures_dir, out, folds=2, cache=tmp_path_factory.mktemp("cache"))


def test_every_picture_is_predicted_once(cross_validated: CrossValidated) -> None:
    evaluation = cross_validated.evaluation
    assert (
        evaluation.confusion.sum()
        == evaluation.pictures
        == sum(group.pictures for group in evaluation.per_class.values())
    )
    assert set(evaluation.per_class) == {"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"}


def test_each_metric_has_a_value_for_each_fold_their_mean_and_spread(
    cross_validated: CrossValidated,
) -> None:
    metrics = cross_validated.evaluation.metrics
    assert {"balanced_accuracy", "any_malignant_sensitivity", "ece_before_temperature"} <= metrics.keys()
    for name, values in cross_validated.folds.items():
        folds = [value for fold in (1, 2) if (value := values[f"fold {fold}"]) is not None]
        if len(folds) == 2:
            assert values["mean"] == pytest.approx(np.mean(folds))
            assert values["standard deviation"] == pytest.approx(np.std(folds, ddof=1))
            assert metrics[name].low <= metrics[name].high


def test_the_report_contains_the_folds_and_no_model_is_left(cross_validated: CrossValidated) -> None:
    folder = cross_validated.page.parent
    numbers = json.loads((folder / "metrics.json").read_text())
    assert numbers["folds"] == cross_validated.folds
    assert {path.name for path in folder.iterdir()} == {"report.html", "metrics.json", "figures"}
    text = cross_validated.page.read_text()
    assert "By fold" in text
    assert "Cross-validation in 2 folds" in text
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_more_folds_than_a_class_has_lesions_are_refused_before_anything_is_trained(
    synthetic_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="needs at least 40 lesions"):
        cross_validate(CONFIG, synthetic_dir, tmp_path / "report", folds=40, cache=tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []
