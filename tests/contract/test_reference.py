"""The embeddings of the training pictures: written, read, and compared with others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.errors import BundleError
from contract.reference import Reference

FOUR = Reference(np.eye(4), np.eye(4, 2048))  # unit vectors along four axes


def test_unfamiliarity_is_one_minus_the_similarity_to_the_kth_nearest() -> None:
    towards_two = np.zeros(2048)
    towards_two[:2] = (30, 40)
    for neighbours, expected in [(1, 1 - 0.8), (2, 1 - 0.6), (3, 1.0), (99, 1.0)]:
        assert FOUR.unfamiliarity(towards_two, neighbours) == pytest.approx(expected)


def test_many_embeddings_get_the_same_scores_as_one_by_one() -> None:
    embeddings = np.random.default_rng(0).random((5, 2048), np.float32)
    together = FOUR.unfamiliarity(embeddings, 2)
    assert together.tolist() == [float(FOUR.unfamiliarity(embedding, 2)) for embedding in embeddings]


def test_the_part_outside_the_axes_increases_the_unfamiliarity() -> None:
    along, beside = np.eye(1, 2048)[0], np.eye(1, 2048, 9)[0]
    assert FOUR.unfamiliarity(along, 1) == pytest.approx(0)
    assert FOUR.unfamiliarity(along + beside, 1) == pytest.approx(1 - 0.5**0.5)
    assert FOUR.unfamiliarity(beside, 1) == pytest.approx(1)


def test_an_embedding_of_zeros_is_unfamiliar_and_not_nan() -> None:
    assert FOUR.unfamiliarity(np.zeros(2048), 1) == pytest.approx(1)


def test_a_reference_is_read_as_it_was_written(tmp_path: Path) -> None:
    FOUR.write(tmp_path / "reference.npz")
    again = Reference.read(tmp_path / "reference.npz")
    assert np.array_equal(again.coordinates, FOUR.coordinates)
    assert np.array_equal(again.axes, FOUR.axes)
    assert again.axes.dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"embeddings": np.eye(4)}, "cannot be read"),
        ({"coordinates": np.eye(4), "axes": np.eye(3, 8)}, "does not contain two matching factors"),
        ({"coordinates": np.zeros((0, 4)), "axes": np.eye(4, 8)}, "does not contain two matching factors"),
        ({"coordinates": np.zeros(4), "axes": np.eye(4, 8)}, "does not contain two matching factors"),
        ({"coordinates": np.array(["a"]), "axes": np.eye(4, 8)}, "cannot be read"),
    ],
)
def test_a_file_that_is_not_a_reference_is_refused(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    np.savez(tmp_path / "reference.npz", **arrays)
    with pytest.raises(BundleError, match=sentence):
        Reference.read(tmp_path / "reference.npz")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    FOUR.write(tmp_path / "reference.npz")
    whole = (tmp_path / "reference.npz").read_bytes()
    (tmp_path / "reference.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="cannot be read"):
        Reference.read(tmp_path / "reference.npz")
