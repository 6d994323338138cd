"""What a model must beat is measured on the project's own held-out lesions."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.baselines import measure, table
from training.model import build_classifier


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of ResNet50's layers up to conv4, as it starts."""
    path = tmp_path_factory.mktemp("weights") / "to-conv4.npz"
    layers = [layer for layer in build_classifier(32).backbone.layers if layer.weights and "conv5" not in layer.name]
    np.savez(path, **{f"{it.name}/{weight.name}": np.asarray(weight.numpy()) for it in layers for weight in it.weights})
    return path


def test_every_baseline_is_judged_on_the_same_lesions(synthetic_dir: Path, weights: Path, tmp_path: Path) -> None:
    measured = measure(synthetic_dir, weights, 32, 42, tmp_path)
    nevus, colours, frozen = measured["baselines"].values()
    assert nevus["balanced_accuracy"]["value"] == pytest.approx(1 / 7)
    assert colours["balanced_accuracy"]["value"] > 1 / 7
    assert 0 <= frozen["balanced_accuracy"]["low"] <= frozen["balanced_accuracy"]["high"] <= 1
    assert table(measured).count("\n|") == 5
