"""The painted pictures: many kinds, all of them different, and the same ones each time."""

import numpy as np

from training.evaluation.not_lesions import KINDS, paint_not_lesions


def test_every_kind_is_painted_and_no_two_pictures_are_the_same() -> None:
    painted = paint_not_lesions(size=48, seed=1, each=4)
    assert set(painted) == set(KINDS)
    pictures = np.concatenate(list(painted.values()))
    assert pictures.shape == (4 * len(KINDS), 48, 48, 3)
    assert pictures.dtype == np.uint8
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert all(np.ptp(picture) > 10 for picture in pictures)  # none is a blank sheet


def test_the_same_seed_paints_the_same_and_another_does_not() -> None:
    first, again, other = (paint_not_lesions(size=32, seed=seed, each=2) for seed in (1, 1, 2))
    for kind in KINDS:
        assert np.array_equal(first[kind], again[kind])
        assert not np.array_equal(first[kind], other[kind])


def test_more_pictures_begin_with_the_same_ones() -> None:
    few, many = paint_not_lesions(32, 1, each=1), paint_not_lesions(32, 1, each=2)
    assert all(np.array_equal(few[kind], many[kind][:1]) for kind in KINDS)
