"""The painted out-of-distribution pictures: all different, and the same for the same seed."""

import numpy as np

from training.evaluation.pictures.painted import KINDS, paint_ood_pictures


def test_every_kind_is_painted_and_no_two_pictures_are_the_same() -> None:
    painted = paint_ood_pictures(size=48, seed=1, per_kind=4)
    assert set(painted) == set(KINDS)
    pictures = np.concatenate(list(painted.values()))
    assert pictures.shape == (4 * len(KINDS), 48, 48, 3)
    assert pictures.dtype == np.uint8
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert all(np.ptp(picture) > 10 for picture in pictures)  # none has only one colour


def test_the_same_seed_paints_the_same_and_another_does_not() -> None:
    first, same, other = (paint_ood_pictures(size=32, seed=seed, per_kind=2) for seed in (1, 1, 2))
    for kind in KINDS:
        assert np.array_equal(first[kind], same[kind])
        assert not np.array_equal(first[kind], other[kind])


def test_a_larger_number_starts_with_the_same_pictures() -> None:
    few, many = paint_ood_pictures(32, 1, per_kind=1), paint_ood_pictures(32, 1, per_kind=2)
    assert all(np.array_equal(few[kind], many[kind][:1]) for kind in KINDS)
