"""Weights to start from: the layers in a file are loaded, and the others start fresh and are listed."""

import hashlib
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


def test_layers_that_a_file_lacks_start_fresh_with_their_batch_normalization_and_are_listed(
    classifier: Classifier, fresh: Classifier, tmp_path: Path
) -> None:
    arrays = arrays_of(classifier, "conv1", "conv2", "conv3", "conv4", "conv5")
    for block, convolutions in ((1, (0, 2, 3)), (2, (1, 2, 3)), (3, (1, 2, 3))):
        for number in convolutions:
            del arrays[f"conv5_block{block}_{number}_conv/kernel"]
    del arrays["conv5_block3_3_bn/gamma"]
    save(tmp_path / "part.npz", arrays)
    before = {weight.path: weight.numpy() for weight in fresh.backbone.weights}

    loaded = load_weights(fresh, str(tmp_path / "part.npz"))

    assert loaded.loaded == ("conv1", "conv2", "conv3", "conv4")
    assert loaded.fresh == ("conv5", "head")
    assert loaded.lowest_fresh == "conv5"
    assert loaded.parts == ("conv5_block1_1_conv", "conv5_block1_1_bn")
    assert len(loaded.absent) == 9 + 1
    assert len(loaded.without_kernel) == 8
    assert loaded.sha256 == hashlib.sha256((tmp_path / "part.npz").read_bytes()).hexdigest()
    text = str(loaded)
    assert text.startswith(
        "conv1, conv2, conv3 and conv4 loaded from part.npz; conv5 and head start fresh, except conv5_block1_1_conv "
        "and conv5_block1_1_bn, which are loaded too. Not in the file: conv5_block1_2_conv, "
    )
    assert ". Fresh, because the file lacks the kernel before it: conv5_block1_2_bn, " in text
    for weight in fresh.backbone.weights:
        layer = weight.path.split("/")[0]
        if layer in (*loaded.absent, *loaded.without_kernel):
            assert np.array_equal(weight.numpy(), before[weight.path]), weight.path
        else:
            np.testing.assert_allclose(weight.numpy(), arrays[weight.path].astype(np.float32), err_msg=weight.path)


def test_batch_normalization_without_its_kernel_is_refused(
    classifier: Classifier, fresh: Classifier, tmp_path: Path
) -> None:
    arrays = arrays_of(classifier, "conv1")
    save(tmp_path / "bn.npz", {name: array for name, array in arrays.items() if "_bn/" in name})
    with pytest.raises(TrainingError, match="no layer of ResNet50 with its kernel"):
        load_weights(fresh, str(tmp_path / "bn.npz"))


def test_without_weights_everything_starts_fresh_and_must_be_trained(fresh: Classifier) -> None:
    loaded = load_weights(fresh, "none")
    assert loaded.loaded == ()
    assert loaded.lowest_fresh == "all"


def test_with_a_complete_backbone_only_the_head_is_fresh(
    classifier: Classifier, fresh: Classifier, tmp_path: Path
) -> None:
    save(tmp_path / "all.npz", arrays_of(classifier, "conv"))
    loaded = load_weights(fresh, str(tmp_path / "all.npz"))
    assert loaded.lowest_fresh == "head"
    assert str(loaded).endswith("; head starts fresh")


def test_a_missing_file_is_named(fresh: Classifier, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no file of weights at .*absent\.npz"):
        load_weights(fresh, str(tmp_path / "absent.npz"))


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00v\x00{}"])
def test_a_file_that_is_not_an_npz_is_refused(fresh: Classifier, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"not a readable \.npz file"):
        load_weights(fresh, str(path))


def test_a_plain_array_or_a_folder_is_refused(fresh: Classifier, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    for path in (tmp_path / "one.npy", tmp_path):
        with pytest.raises(TrainingError, match=r"not a readable \.npz file"):
            load_weights(fresh, str(path))


def test_weights_of_another_network_are_refused(fresh: Classifier, tmp_path: Path) -> None:
    save(tmp_path / "other.npz", {"block1/kernel": np.zeros((3, 3))})
    with pytest.raises(TrainingError, match="no layer of ResNet50"):
        load_weights(fresh, str(tmp_path / "other.npz"))


def test_weights_of_another_shape_are_refused(classifier: Classifier, fresh: Classifier, tmp_path: Path) -> None:
    arrays = arrays_of(classifier, "conv1")
    arrays["conv1_conv/kernel"] = arrays["conv1_conv/kernel"][:3]
    save(tmp_path / "narrow.npz", arrays)
    with pytest.raises(TrainingError, match=r"conv1_conv/kernel has the shape \(3, 7, 3, 64\)"):
        load_weights(fresh, str(tmp_path / "narrow.npz"))
