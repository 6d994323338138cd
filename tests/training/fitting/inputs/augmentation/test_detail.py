"""Blur and the loss of detail: exact where nothing is lost, and as a filter of NumPy elsewhere."""

import keras
import numpy as np
import pytest

from training.fitting.inputs.augmentation.detail import RandomDetail, smoothing

LINE = 48


def matrix(sigma: float, factor: float) -> np.ndarray:
    given = smoothing(LINE, np.array([sigma], np.float32), np.array([factor], np.float32))
    return np.asarray(keras.ops.convert_to_numpy(given)[0])


def test_without_blur_and_reduction_nothing_changes() -> None:
    assert np.array_equal(matrix(0.0, 1.0), np.eye(LINE, dtype=np.float32))


@pytest.mark.parametrize(("sigma", "factor"), [(2.0, 1.0), (0.0, 1.3), (0.0, 4.0), (1.5, 2.5)])
def test_a_flat_line_stays_flat_and_a_ramp_a_ramp(sigma: float, factor: float) -> None:
    smooth = matrix(sigma, factor)
    assert (smooth >= 0).all()
    np.testing.assert_allclose(smooth.sum(axis=1), 1, atol=1e-5)
    ramp = np.arange(LINE)
    np.testing.assert_allclose((smooth @ ramp)[12:-12], ramp[12:-12], atol=0.02)


def test_blur_is_a_gaussian() -> None:
    distance = np.arange(LINE) - 24
    gaussian = np.exp(-0.5 * (distance / 2.0) ** 2)
    np.testing.assert_allclose(matrix(2.0, 1.0)[24], gaussian / gaussian.sum(), atol=1e-5)


def test_a_reduction_removes_what_is_too_fine_and_keeps_what_is_coarse() -> None:
    smooth = matrix(0.0, 3.0)
    fine = smooth @ np.cos(np.pi * np.arange(LINE))
    coarse = np.cos(2 * np.pi * np.arange(LINE) / 24)
    assert np.abs(fine[6:-6]).max() < 0.02
    assert np.abs((smooth @ coarse - coarse)[6:-6]).max() < 0.15


def test_both_directions_lose_the_same_detail() -> None:
    random = np.random.default_rng(3)
    pictures = random.uniform(0, 255, (24, 30, 30, 3)).astype(np.float32)
    one, turned = (
        keras.ops.convert_to_numpy(RandomDetail(1)(shown, training=True))
        for shown in (pictures, pictures.transpose(0, 2, 1, 3))
    )
    np.testing.assert_allclose(one, turned.transpose(0, 2, 1, 3), atol=1e-2)
    changed = np.abs(one - pictures).max(axis=(1, 2, 3)) > 1
    assert 0 < changed.mean() < 0.6
