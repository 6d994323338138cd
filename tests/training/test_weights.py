"""Weights to start from: whole stages of a file are loaded, the rest starts fresh and is named."""

from pathlib import Path

import numpy as np
import pytest

from contract.errors import TrainingError
from training.model import Classifier, build_classifier
from training.weights import load_weights


def arrays_of(classifier: Classifier, *stages: str) -> dict[str, np.ndarray]:
    return {
        f"{layer.name}/{weight.name}": weight.numpy().astype(np.float16)
        for layer in classifier.backbone.layers
        for weight in layer.weights
        if layer.name.startswith(stages)
    }


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fresh() -> Classifier:
    return build_classifier(64)


def test_a_stage_without_all_its_kernels_starts_fresh_with_its_batch_normalization(
    classifier: Classifier, fresh: Classifier, tmp_path: Path
) -> None:
    arrays = arrays_of(classifier, "conv1", "conv2", "conv3", "conv4", "conv5")
    del arrays["conv5_block2_2_conv/kernel"]
    save(tmp_path / "part.npz", arrays)
    conv5_before = [w.numpy() for w in fresh.backbone.weights if w.path.startswith("conv5")]

    loaded = load_weights(fresh, str(tmp_path / "part.npz"))

    assert loaded.loaded == ("conv1", "conv2", "conv3", "conv4")
    assert loaded.fresh == ("conv5", "head")
    assert loaded.lowest_fresh == "conv5"
    assert str(loaded) == "conv1, conv2, conv3 and conv4 loaded from part.npz; conv5 and head start fresh"
    held = fresh.backbone.get_layer("conv4_block6_3_bn").get_weights()
    expected = classifier.backbone.get_layer("conv4_block6_3_bn").get_weights()
    assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(held, expected, strict=True))
    conv5_after = [w.numpy() for w in fresh.backbone.weights if w.path.startswith("conv5")]
    assert all(np.array_equal(a, b) for a, b in zip(conv5_before, conv5_after, strict=True))


def test_without_weights_everything_starts_fresh_and_must_be_trained(fresh: Classifier) -> None:
    loaded = load_weights(fresh, "none")
    assert loaded.loaded == ()
    assert loaded.lowest_fresh == "all"


def test_a_whole_backbone_leaves_only_the_head_fresh(classifier: Classifier, fresh: Classifier, tmp_path: Path) -> None:
    save(tmp_path / "all.npz", arrays_of(classifier, "conv"))
    loaded = load_weights(fresh, str(tmp_path / "all.npz"))
    assert loaded.lowest_fresh == "head"
    assert str(loaded).endswith("; head starts fresh")


def test_a_missing_file_is_named(fresh: Classifier, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no file of weights at .*absent\.npz"):
        load_weights(fresh, str(tmp_path / "absent.npz"))


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00v\x00{}"])
def test_a_file_that_is_no_npz_is_refused(fresh: Classifier, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"not an \.npz file"):
        load_weights(fresh, str(path))


def test_a_plain_array_or_a_folder_is_refused(fresh: Classifier, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    for path in (tmp_path / "one.npy", tmp_path):
        with pytest.raises(TrainingError, match=r"not an \.npz file"):
            load_weights(fresh, str(path))


def test_weights_of_another_network_are_refused(fresh: Classifier, tmp_path: Path) -> None:
    save(tmp_path / "other.npz", {"block1/kernel": np.zeros((3, 3))})
    with pytest.raises(TrainingError, match="no whole stage of ResNet50"):
        load_weights(fresh, str(tmp_path / "other.npz"))


def test_weights_of_another_shape_are_refused(classifier: Classifier, fresh: Classifier, tmp_path: Path) -> None:
    arrays = arrays_of(classifier, "conv1")
    arrays["conv1_conv/kernel"] = arrays["conv1_conv/kernel"][:3]
    save(tmp_path / "narrow.npz", arrays)
    with pytest.raises(TrainingError, match=r"conv1_conv/kernel has the shape \(3, 7, 3, 64\)"):
        load_weights(fresh, str(tmp_path / "narrow.npz"))
