"""Light and colour change as published values say, and a grey picture stays a grey picture except under a lamp."""

import keras
import numpy as np
import pytest

from training.colour_spaces import ADOBE_RGB, DISPLAY_P3, SRGB
from training.fitting.inputs.augmentation.camera import RandomCamera, ignored_profile, lamp_gains


def test_the_matrix_of_srgb_is_the_published_one() -> None:
    published = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]  # IEC 61966-2-1
    np.testing.assert_allclose(SRGB.to_xyz(), published, atol=2e-4)


def test_an_ignored_profile_makes_colours_paler_and_keeps_grey() -> None:
    p3, adobe = (keras.ops.convert_to_numpy(ignored_profile(space)).T for space in (DISPLAY_P3, ADOBE_RGB))
    np.testing.assert_allclose(p3, [[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]], atol=2e-3)
    np.testing.assert_allclose(adobe, [[0.7152, 0.2848, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0412, 0.9588]], atol=2e-3)
    np.testing.assert_allclose(p3.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("kelvin", "x", "y"), [(2855.5, 0.4476, 0.4074), (5000, 0.3451, 0.3516), (8000, 0.2952, 0.3048)]
)
def test_a_lamp_has_the_chromaticity_of_a_black_body(kelvin: float, x: float, y: float) -> None:
    """Illuminant A, and two points of the Planckian locus."""
    gains = keras.ops.convert_to_numpy(lamp_gains(np.array([kelvin], np.float32)))[0]
    xyz = SRGB.to_xyz() @ gains
    np.testing.assert_allclose(xyz[:2] / xyz.sum(), [x, y], atol=0.004)
    assert xyz[1] == pytest.approx(1, abs=0.01)


def test_daylight_changes_little_and_warm_lamps_are_red() -> None:
    daylight, warm, cold = keras.ops.convert_to_numpy(lamp_gains(np.array([6504, 2800, 8000], np.float32)))
    np.testing.assert_allclose(daylight, 1, atol=0.06)
    assert warm[0] > 1.5 > 1 > 0.3 > warm[2] >= 0
    assert cold[2] > 1 > cold[0]


def test_the_exposure_darkens_some_pictures_and_brightens_some_and_clips() -> None:
    grey = np.full((400, 4, 4, 3), 120, np.float32)
    seen = keras.ops.convert_to_numpy(RandomCamera(2)(grey, training=True))
    assert np.ptp(seen, axis=(1, 2)).max() < 1e-3  # one colour stays one colour
    ratio = seen[:, 0, 0, 1] / 120
    same = np.all(np.abs(seen - 120) < 0.01, axis=(1, 2, 3))
    assert 0.35 < same.mean() < 0.8
    assert ratio.min() < 0.45
    assert ratio.max() > 1.2
    white = np.full((400, 4, 4, 3), 250, np.float32)
    assert keras.ops.convert_to_numpy(RandomCamera(2)(white, training=True)).max() <= 255.001
