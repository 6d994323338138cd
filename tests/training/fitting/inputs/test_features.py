"""Frozen features: the output of the frozen stages, computed once for all runs with the same frozen stages."""

import resource
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from training.data.pictures import Pictures
from training.fitting.inputs.augmentation.views import PhotographicChanges
from training.fitting.inputs.batches import PREDICT_BATCH
from training.fitting.inputs.features import FeatureCache, features_folder, predict, remove_features
from training.fitting.resuming.stop import RunInterruptedError, StopRequest
from training.model import Classifier
from training.progress import ignore_progress

Report = tuple[str, int, int]


@pytest.fixture(scope="module")
def many() -> Pictures:
    """Three full batches and a smaller one."""
    count = 3 * PREDICT_BATCH + 8
    return Pictures(np.random.default_rng(3).integers(0, 256, (count, 32, 32, 3), np.uint8), np.arange(count),
                    np.zeros(count, int))  # fmt: skip


@pytest.fixture(scope="module")
def small() -> keras.Model:
    """Fast frozen stages: one convolution."""
    keras.utils.set_random_seed(1)
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    return keras.Model(pixels, keras.layers.Conv2D(4, 8, 8)(keras.layers.Rescaling(1 / 255)(pixels)))


def compute(
    small: keras.Model,
    many: Pictures,
    folder: Path,
    stop_at: int | None = None,
    changes: PhotographicChanges | None = None,
) -> list[Report]:
    """Compute two views, and return the progress reports."""
    reports: list[Report] = []
    stop = StopRequest()

    def on_progress(*report: object) -> None:
        reports.append(report)  # type: ignore[arg-type]
        if report[1] == stop_at:
            stop.received = signal.SIGTERM

    FeatureCache(small, folder, on_progress, stop, changes).compute_once(many, 2, "training")
    return reports


def test_frozen_features_are_the_output_for_each_view(classifier: Classifier, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (9, 64, 64, 3), np.uint8)
    pictures, other = (Pictures(pixels, np.array(rows), np.zeros(len(rows), int)) for rows in ([8, 1, 4], [0, 2]))
    below = classifier.below("conv4")
    train, validation = FeatureCache(below, tmp_path, ignore_progress, StopRequest()).examples(pictures, other, 2)
    shown = [pixels[[8, 1, 4]], pixels[[8, 1, 4], :, ::-1], pixels[[0, 2]]]
    for features, view in zip([*train.views, *validation.views], shown, strict=True):
        expected = below(view).numpy()
        np.testing.assert_allclose(features, expected, atol=2e-3 * np.abs(expected).max())


def test_features_are_computed_once(small: keras.Model, many: Pictures, tmp_path: Path) -> None:
    assert compute(small, many, tmp_path)[-1] == ("computing frozen features (training)", len(many), len(many))
    assert compute(small, many, tmp_path) == []


@pytest.mark.parametrize("seed", [None, 5])
def test_an_interrupted_computation_continues_and_gives_the_same(
    small: keras.Model, many: Pictures, tmp_path: Path, seed: int | None
) -> None:
    """Also with the photographic changes of a seed."""

    def changes() -> PhotographicChanges | None:
        return None if seed is None else PhotographicChanges(seed, 32)

    interrupted, unbroken = tmp_path / "interrupted", tmp_path / "unbroken"
    for folder in (interrupted, unbroken):
        folder.mkdir()
    compute(small, many, unbroken, changes=changes())
    with pytest.raises(RunInterruptedError, match="features computed so far are kept"):
        compute(small, many, interrupted, stop_at=3 * PREDICT_BATCH, changes=changes())
    with (interrupted / "training-1.partial").open("ab") as file:
        file.write(b"half a row")
    reports = compute(small, many, interrupted, changes=changes())
    assert reports[0][1] == 3 * PREDICT_BATCH  # the third batch, the last one written, is computed again
    for view in range(2):
        name = f"training-{view}.npy"
        assert (interrupted / name).read_bytes() == (unbroken / name).read_bytes()
    assert {path.name for path in interrupted.iterdir()} == {"training-0.npy", "training-1.npy"}


def test_photographic_changes_are_made_in_every_view_but_the_first(
    small: keras.Model, many: Pictures, tmp_path: Path
) -> None:
    plain, changed = tmp_path / "plain", tmp_path / "changed"
    for folder, changes in ((plain, None), (changed, PhotographicChanges(5, 32))):
        folder.mkdir()
        compute(small, many, folder, changes=changes)
    assert (plain / "training-0.npy").read_bytes() == (changed / "training-0.npy").read_bytes()
    before, after = (np.load(folder / "training-1.npy") for folder in (plain, changed))
    assert np.any(before != after, axis=(1, 2, 3)).mean() > 0.9  # light changes a little in all


def test_a_full_disk_is_an_error_and_the_features_so_far_are_kept(
    small: keras.Model, many: Pictures, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # two batches of 8 KiB and the header
    try:
        with pytest.raises(OSError, match="File too large"):
            compute(small, many, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert compute(small, many, tmp_path)[0][1] == 2 * PREDICT_BATCH


def test_the_folder_depends_on_the_weights_the_pictures_and_the_changes(
    classifier: Classifier, many: Pictures, tmp_path: Path
) -> None:
    fewer = Pictures(many.pixels, many.rows[1:], many.class_index[1:])

    def name(views: int = 2, train: Pictures = many, changes: PhotographicChanges | None = None) -> str:
        return features_folder(classifier, "conv2", views, train, many, tmp_path, changes).name

    first = name()
    assert first.startswith("features-conv2-")
    kernel = classifier.backbone.get_layer("conv1_conv").kernel
    before = kernel.numpy()
    kernel.assign(before + 0.01)
    with_other_weights = name()
    kernel.assign(before)
    changed = [name(changes=PhotographicChanges(seed, 64)) for seed in (1, 2)]
    assert len({first, with_other_weights, name(views=1), name(train=fewer), *changed}) == 6
    assert name() == first


def test_features_and_their_folder_are_removed(small: keras.Model, many: Pictures, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    folder.mkdir()
    compute(small, many, folder)
    remove_features([folder, tmp_path / "never made"])
    assert list(tmp_path.iterdir()) == []


def test_a_shorter_batch_gets_the_same_predictions(classifier: Classifier) -> None:
    below = classifier.below("conv2")
    pixels = np.random.default_rng(3).integers(0, 256, (PREDICT_BATCH, 64, 64, 3), np.uint8)
    predictions = predict(below, pixels)
    assert len(predictions) == PREDICT_BATCH
    np.testing.assert_allclose(predict(below, pixels[:5]), predictions[:5], rtol=1e-4, atol=1e-4)
