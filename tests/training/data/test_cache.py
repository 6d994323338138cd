"""The decoded pictures: exactly what the decoder makes of them, found again, and never half there."""

import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from contract.errors import DatasetError
from contract.image import decode_image
from training.data.cache import ABANDONED_S, open_cache

SIZE = 64


class Interrupt(BaseException):
    """What stands for Ctrl-C."""


class Progress:
    """Counts what was reported, and stops the work when told to."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at, self.reports = stop_at, []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.reports.append((what, done, total))
        if done == self.stop_at:
            raise Interrupt


def decoded(dataset, size: int = SIZE) -> np.ndarray:
    return np.stack([decode_image(Path(path).read_bytes(), size).pixels for path in dataset.rows["path"]])


@pytest.mark.parametrize("size", [64, 224])
def test_row_by_row_the_cache_holds_what_the_decoder_makes_of_the_pictures(small_dataset, tmp_path: Path, size) -> None:
    pixels = open_cache(small_dataset, size, tmp_path)
    assert isinstance(pixels, np.memmap)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, decoded(small_dataset, size))


def test_nobody_can_write_to_an_open_cache(small_dataset, tmp_path: Path) -> None:
    pixels = open_cache(small_dataset, SIZE, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_pictures_are_decoded_once_and_every_one_is_reported(small_dataset, tmp_path: Path) -> None:
    first, second = Progress(), Progress()
    open_cache(small_dataset, SIZE, tmp_path, first)
    open_cache(small_dataset, SIZE, tmp_path, second)
    total = len(small_dataset.rows)
    assert first.reports == [("decoding pictures", done, total) for done in range(1, total + 1)]
    assert second.reports == []
    assert len(list(tmp_path.iterdir())) == 1


def test_a_picture_that_changes_is_decoded_anew(folder, tmp_path: Path) -> None:
    dataset = folder.read()
    before = np.array(open_cache(dataset, SIZE, tmp_path / "cache"))
    first, second = (Path(path) for path in dataset.rows["path"].iloc[:2])
    first.write_bytes(second.read_bytes())
    after = open_cache(dataset, SIZE, tmp_path / "cache")
    assert not np.array_equal(before[0], before[1])
    np.testing.assert_array_equal(after[0], before[1])
    np.testing.assert_array_equal(after[1:], before[1:])


def test_another_order_or_size_is_another_cache_and_another_diagnosis_is_not(folder, tmp_path: Path) -> None:
    dataset, caches = folder.read(), tmp_path / "cache"
    pixels = np.array(open_cache(dataset, SIZE, caches))
    np.testing.assert_array_equal(open_cache(dataset.subset([3, 1]), SIZE, caches), pixels[[3, 1]])
    np.testing.assert_array_equal(open_cache(dataset.subset([1, 3]), SIZE, caches), pixels[[1, 3]])
    assert open_cache(dataset, 32, caches).shape == (len(dataset.rows), 32, 32, 3)
    folder.rows = [{**row, "dx_type": "confocal"} for row in folder.rows]
    again = Progress()
    open_cache(folder.read(), SIZE, caches, again)
    assert again.reports == []


def test_an_interrupted_build_leaves_nothing_and_the_next_one_is_whole(small_dataset, tmp_path: Path) -> None:
    with pytest.raises(Interrupt):
        open_cache(small_dataset, SIZE, tmp_path, Progress(stop_at=20))
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(open_cache(small_dataset, SIZE, tmp_path), decoded(small_dataset))


def test_what_a_killed_process_left_is_no_cache_and_goes_after_a_day(small_dataset, tmp_path: Path) -> None:
    finished = Path(str(open_cache(small_dataset, SIZE, tmp_path).filename))
    whole = finished.read_bytes()
    finished.unlink()
    old, fresh = (tmp_path / f".{finished.stem}.{process}.partial" for process in (1, 2))
    old.write_bytes(whole[:-1])
    fresh.write_bytes(whole[:-1])
    os.utime(old, times=(time.time() - ABANDONED_S - 60,) * 2)
    again = Progress()
    open_cache(small_dataset, SIZE, tmp_path, again)
    assert len(again.reports) == len(small_dataset.rows)
    assert set(tmp_path.iterdir()) == {finished, fresh}


@pytest.mark.parametrize("keep", [0, 50, 5000, -1], ids=["empty", "half a header", "few pictures", "one byte short"])
def test_a_cache_that_was_cut_short_is_built_anew(small_dataset, tmp_path: Path, keep: int) -> None:
    finished = Path(str(open_cache(small_dataset, SIZE, tmp_path).filename))
    finished.write_bytes(finished.read_bytes()[:keep])
    np.testing.assert_array_equal(open_cache(small_dataset, SIZE, tmp_path), decoded(small_dataset))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda encoded: encoded[: len(encoded) // 2], "damaged or incomplete"),
        (lambda encoded: b"", "not a JPEG, PNG or WebP"),
        (lambda encoded: b"GIF89a" + encoded, "not a JPEG, PNG or WebP"),
    ],
    ids=["truncated", "empty", "another format"],
)
def test_a_corrupt_picture_is_named_and_nothing_is_left(folder, tmp_path: Path, spoil, reason: str) -> None:
    dataset = folder.read()
    corrupt = Path(dataset.rows["path"].iloc[11])
    corrupt.write_bytes(spoil(corrupt.read_bytes()))
    with pytest.raises(DatasetError, match=reason) as caught:
        open_cache(dataset, SIZE, tmp_path / "cache")
    assert corrupt.name in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_picture_that_went_away_is_named(folder, tmp_path: Path) -> None:
    dataset = folder.read()
    gone = Path(dataset.rows["path"].iloc[4])
    gone.unlink()
    with pytest.raises(DatasetError, match=f"{gone.name} is no longer there"):
        open_cache(dataset, SIZE, tmp_path / "cache")


def test_an_empty_dataset_is_refused(small_dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the dataset is empty"):
        open_cache(small_dataset.subset([]), SIZE, tmp_path)


def test_a_disk_that_takes_no_more_is_the_systems_own_error_and_nothing_is_left(small_dataset, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            open_cache(small_dataset, SIZE, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
