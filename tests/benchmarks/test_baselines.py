"""The baselines are measured on the project's test lesions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.baselines import measure_baselines, table
from training.model import build_classifier


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of ResNet50's initial weights up to conv4."""
    path = tmp_path_factory.mktemp("weights") / "to-conv4.npz"
    layers = [layer for layer in build_classifier(32).backbone.layers if layer.weights and "conv5" not in layer.name]
    arrays: dict[str, Any] = {
        f"{layer.name}/{weight.name}": np.asarray(weight.numpy()) for layer in layers for weight in layer.weights
    }
    np.savez(path, **arrays)
    return path


def test_every_baseline_is_measured_on_the_same_lesions(synthetic_dir: Path, weights: Path, tmp_path: Path) -> None:
    measured = measure_baselines(synthetic_dir, weights, 32, 42, tmp_path)
    nevus, colours, frozen = measured["baselines"].values()
    assert nevus["balanced_accuracy"]["value"] == pytest.approx(1 / 7)
    assert colours["balanced_accuracy"]["value"] > 1 / 7
    assert 0 <= frozen["balanced_accuracy"]["low"] <= frozen["balanced_accuracy"]["high"] <= 1
    assert table(measured).count("\n|") == 5
