"""The cache: exactly the decoder's pixels, reused when nothing changed, and never incomplete."""

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from contract.errors import DatasetError
from contract.image import DECODER_VERSION, decode_image
from tests.training.data.dataset_folder import DatasetFolder
from training.data.cache import ABANDONED_S, BLOCK, DECODER, cache_key, open_cache
from training.data.ham10000 import Dataset

ROOT = Path(__file__).parents[3]
SIZE = 64


class Interrupt(BaseException):
    """Replaces Ctrl-C in these tests."""


class Progress:
    """Record the reports, and interrupt the work at `stop_at`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.reports: list[tuple[str, int, int]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.reports.append((what, done, total))
        if done == self.stop_at:
            raise Interrupt


def decoded(dataset: Dataset, size: int = SIZE) -> np.ndarray:
    return np.stack([decode_image(Path(path).read_bytes(), size).pixels for path in dataset.rows["path"]])


@pytest.mark.parametrize("size", [64, 224])
def test_every_row_of_the_cache_is_the_decoded_picture(small_dataset: Dataset, tmp_path: Path, size: int) -> None:
    pixels = open_cache(small_dataset, size, tmp_path)
    assert isinstance(pixels, np.memmap)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, decoded(small_dataset, size))


def test_an_open_cache_is_read_only(small_dataset: Dataset, tmp_path: Path) -> None:
    pixels = open_cache(small_dataset, SIZE, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_pictures_are_decoded_once_and_every_one_is_reported(small_dataset: Dataset, tmp_path: Path) -> None:
    first, second = Progress(), Progress()
    open_cache(small_dataset, SIZE, tmp_path, first)
    open_cache(small_dataset, SIZE, tmp_path, second)
    total = len(small_dataset.rows)
    assert first.reports == [("decoding pictures", done, total) for done in range(1, total + 1)]
    assert second.reports == []
    assert len(list(tmp_path.iterdir())) == 1


def test_a_changed_picture_is_decoded_again(folder: DatasetFolder, tmp_path: Path) -> None:
    dataset = folder.read()
    before = np.array(open_cache(dataset, SIZE, tmp_path / "cache"))
    first, second = (Path(path) for path in dataset.rows["path"].iloc[:2])
    first.write_bytes(second.read_bytes())
    after = open_cache(dataset, SIZE, tmp_path / "cache")
    assert not np.array_equal(before[0], before[1])
    np.testing.assert_array_equal(after[0], before[1])
    np.testing.assert_array_equal(after[1:], before[1:])


def test_another_order_or_size_needs_another_cache_and_another_label_does_not(
    folder: DatasetFolder, tmp_path: Path
) -> None:
    dataset, caches = folder.read(), tmp_path / "cache"
    pixels = np.array(open_cache(dataset, SIZE, caches))
    np.testing.assert_array_equal(open_cache(dataset.subset([3, 1]), SIZE, caches), pixels[[3, 1]])
    np.testing.assert_array_equal(open_cache(dataset.subset([1, 3]), SIZE, caches), pixels[[1, 3]])
    assert open_cache(dataset, 32, caches).shape == (len(dataset.rows), 32, 32, 3)
    folder.rows = [{**row, "dx_type": "confocal"} for row in folder.rows]
    second = Progress()
    open_cache(folder.read(), SIZE, caches, second)
    assert second.reports == []


def test_another_decoder_version_needs_another_cache(small_dataset: Dataset, tmp_path: Path) -> None:
    paths = small_dataset.rows["path"].tolist()
    assert DECODER.startswith(f"{DECODER_VERSION} Pillow ")
    assert cache_key(paths, SIZE) == cache_key(paths, SIZE, DECODER)
    assert cache_key(paths, SIZE, f"{DECODER_VERSION + 1} Pillow 1.0") != cache_key(paths, SIZE, DECODER)
    assert cache_key(paths, SIZE) in Path(str(open_cache(small_dataset, SIZE, tmp_path).filename)).name


def test_a_new_docstring_of_the_decoder_needs_no_other_cache(small_dataset: Dataset, tmp_path: Path) -> None:
    for package in ("contract", "training"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    decoder = tmp_path / "contract" / "image.py"
    source = decoder.read_text()
    decoder.write_text(source.replace('"""', '"""Another docstring. ', 1))
    assert decoder.read_text() != source
    script = (
        "import json, sys, contract.image; from training.data.cache import cache_key; "
        "print(contract.image.__file__, cache_key(json.loads(sys.argv[1]), int(sys.argv[2])), sep='\\n')"
    )
    paths = small_dataset.rows["path"].tolist()
    words = [sys.executable, "-c", script, json.dumps(paths), str(SIZE)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == [str(decoder), cache_key(paths, SIZE)]


def test_the_next_build_continues_after_the_finished_blocks_of_an_interrupted_one(
    small_dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(Interrupt):
        open_cache(small_dataset, SIZE, tmp_path, Progress(stop_at=2 * BLOCK + 5))
    assert list(tmp_path.glob("pixels-*")) == []
    second = Progress()
    pixels = open_cache(small_dataset, SIZE, tmp_path, second)
    total = len(small_dataset.rows)
    assert second.reports == [("decoding pictures", done, total) for done in range(2 * BLOCK + 1, total + 1)]
    np.testing.assert_array_equal(pixels, decoded(small_dataset))
    assert list(tmp_path.iterdir()) == [Path(str(pixels.filename))]


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (lambda partial, journal: partial.write_bytes(b"?" + partial.read_bytes()[1:]), 0),
        (lambda partial, journal: flip_bit(partial, 128 + 5), 0),
        (lambda partial, journal: flip_bit(partial, 128 + BLOCK * SIZE * SIZE * 3 + 5), 1),
        (lambda partial, journal: partial.write_bytes(partial.read_bytes()[: -BLOCK * SIZE * SIZE * 3]), 1),
        (lambda partial, journal: partial.write_bytes(b""), 0),
        (lambda partial, journal: partial.unlink(), 0),
        (lambda partial, journal: journal.unlink(), 0),
        (lambda partial, journal: journal.write_bytes(journal.read_bytes()[:-3]), 1),
        (lambda partial, journal: journal.write_bytes(b"\xff\n" + journal.read_bytes()), 0),
        (lambda partial, journal: partial.write_bytes(partial.read_bytes() + b"surplus"), 2),
    ],
    ids=["header", "first block", "second block", "truncated", "empty", "deleted", "no journal", "truncated journal",
         "damaged journal", "extra bytes"],
)  # fmt: skip
def test_a_partial_cache_is_verified_block_by_block(
    small_dataset: Dataset, tmp_path: Path, damage: Callable[..., object], kept: int
) -> None:
    with pytest.raises(Interrupt):
        open_cache(small_dataset, SIZE, tmp_path, Progress(stop_at=2 * BLOCK))
    (partial,), (journal,) = tmp_path.glob(".*.partial"), tmp_path.glob(".*.journal")
    damage(partial, journal)
    second = Progress()
    np.testing.assert_array_equal(open_cache(small_dataset, SIZE, tmp_path, second), decoded(small_dataset))
    assert len(second.reports) == len(small_dataset.rows) - kept * BLOCK


def flip_bit(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_the_next_build_continues_after_a_killed_process(folder: DatasetFolder, tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from training.data.cache import *; "
        "from training.data.ham10000 import read_dataset\n"
        f"def stop(what, done, total):\n    if done == {BLOCK + 3}: os.kill(os.getpid(), 9)\n"
        f"open_cache(read_dataset(Path(sys.argv[1])), {SIZE}, Path(sys.argv[2]), stop)"
    )
    dataset = folder.read()
    assert len(dataset.rows) > BLOCK + 3
    command = [sys.executable, "-c", program, str(folder.path), str(tmp_path / "cache")]
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    second = Progress()
    np.testing.assert_array_equal(open_cache(dataset, SIZE, tmp_path / "cache", second), decoded(dataset))
    assert len(second.reports) == len(dataset.rows) - BLOCK


def test_of_two_builds_of_the_same_cache_one_waits_for_the_other(small_dataset: Dataset, tmp_path: Path) -> None:
    reports = [Progress(), Progress()]
    with ThreadPoolExecutor(2) as both:
        opened = list(both.map(lambda report: open_cache(small_dataset, SIZE, tmp_path, report), reports))
    for pixels in opened:
        np.testing.assert_array_equal(pixels, decoded(small_dataset))
    assert sorted(len(report.reports) for report in reports) in ([0, len(small_dataset.rows)],)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_waiting_build_starts_when_the_other_one_fails(small_dataset: Dataset, tmp_path: Path) -> None:
    def give_up(what: str, done: int, total: int) -> None:
        started.set()
        time.sleep(0.3)
        raise OSError("the disk is full")

    started = threading.Event()
    with ThreadPoolExecutor(2) as both:
        first = both.submit(open_cache, small_dataset, SIZE, tmp_path, give_up)
        assert started.wait(20)
        second = both.submit(open_cache, small_dataset, SIZE, tmp_path)
        with pytest.raises(OSError, match="disk is full"):
            first.result(60)
        np.testing.assert_array_equal(second.result(60), decoded(small_dataset))
    assert len(list(tmp_path.iterdir())) == 1


def test_abandoned_partial_caches_are_deleted_after_a_day(small_dataset: Dataset, tmp_path: Path) -> None:
    old, fresh = (tmp_path / f".pixels-{SIZE}-{name}.partial" for name in ("old", "fresh"))
    journal, lock = old.with_suffix(".journal"), old.with_suffix(".lock")
    for path in (old, fresh, journal, lock):
        path.write_bytes(b"unfinished")
    for left in (old, journal):
        os.utime(left, times=(time.time() - ABANDONED_S - 60,) * 2)
    finished = Path(str(open_cache(small_dataset, SIZE, tmp_path).filename))
    assert set(tmp_path.iterdir()) == {finished, fresh}


@pytest.mark.parametrize("keep", [0, 50, 5000, -1], ids=["empty", "half a header", "a few pictures", "one byte short"])
def test_a_truncated_cache_is_built_again(small_dataset: Dataset, tmp_path: Path, keep: int) -> None:
    finished = Path(str(open_cache(small_dataset, SIZE, tmp_path).filename))
    finished.write_bytes(finished.read_bytes()[:keep])
    np.testing.assert_array_equal(open_cache(small_dataset, SIZE, tmp_path), decoded(small_dataset))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda encoded: encoded[: len(encoded) // 2], "damaged or incomplete"),
        (lambda encoded: b"", "The file is empty"),
        (lambda encoded: b"GIF89a" + encoded, "not a JPEG, PNG, WebP or HEIC"),
    ],
    ids=["truncated", "empty", "another format"],
)
def test_a_corrupt_picture_is_named_and_leaves_no_cache(
    folder: DatasetFolder, tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    dataset = folder.read()
    corrupt = Path(dataset.rows["path"].iloc[11])
    corrupt.write_bytes(damage(corrupt.read_bytes()))
    with pytest.raises(DatasetError, match=reason) as caught:
        open_cache(dataset, SIZE, tmp_path / "cache")
    assert corrupt.name in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_deleted_picture_is_named(folder: DatasetFolder, tmp_path: Path) -> None:
    dataset = folder.read()
    deleted = Path(dataset.rows["path"].iloc[4])
    deleted.unlink()
    with pytest.raises(DatasetError, match=f"{deleted.name} no longer exists"):
        open_cache(dataset, SIZE, tmp_path / "cache")


def test_an_empty_dataset_is_refused(small_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the dataset is empty"):
        open_cache(small_dataset.subset([]), SIZE, tmp_path)


def test_a_full_disk_raises_an_oserror_and_leaves_no_cache(small_dataset: Dataset, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            open_cache(small_dataset, SIZE, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
