"""Near-duplicates are found after common changes of the file, and different pictures are not."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from contract.image import decode_image
from training.data.duplicates import HASHED_PX, MAX_DIFFERENT_BITS, Fingerprint, find_duplicates, fingerprint
from training.data.ham10000 import Dataset


def fingerprint_of(picture: Image.Image, quality: int = 90) -> Fingerprint:
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=quality)
    return fingerprint(decode_image(encoded.getvalue(), HASHED_PX).pixels)


@pytest.fixture(scope="module")
def pictures(small_dataset: Dataset) -> list[Image.Image]:
    one_of_each = small_dataset.rows.drop_duplicates("lesion_id")["path"].head(40)
    return [Image.open(io.BytesIO(Path(path).read_bytes())).convert("RGB") for path in one_of_each]


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "scaled to half": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "recompressed": lambda picture: picture,  # the test saves it with another quality
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.1),
    "with less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.8),
    "with another white balance": lambda picture: Image.merge(
        "RGB", [band.point([round(value * by) for value in range(256)])
                for band, by in zip(picture.split(), (1.0, 0.92, 0.8), strict=True)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("altered", ALTERED)
def test_an_altered_copy_is_found_and_no_other_pair(pictures: list[Image.Image], altered: str) -> None:
    fingerprints = [fingerprint_of(picture) for picture in pictures]
    copies = [fingerprint_of(ALTERED[altered](picture), quality=60) for picture in pictures[:12]]
    names = [f"P{number}" for number in range(len(fingerprints) + len(copies))]
    found = find_duplicates(names, names, [*fingerprints, *copies])
    assert found.within_lesions == []
    expected = {(f"P{number}", f"P{len(fingerprints) + number}") for number in range(len(copies))}
    assert {pair.image_ids for pair in found.across_lesions} == expected


def test_pairs_within_a_lesion_and_across_lesions_are_separate(pictures: list[Image.Image]) -> None:
    fingerprints = [fingerprint_of(pictures[0]), fingerprint_of(pictures[1]), fingerprint_of(pictures[0], quality=50)]
    same = find_duplicates(["a", "b", "c"], ["L1", "L2", "L1"], fingerprints)
    assert [pair.image_ids for pair in same.within_lesions] == [("a", "c")]
    assert same.across_lesions == []
    other = find_duplicates(["a", "b", "c"], ["L1", "L2", "L3"], fingerprints)
    assert [pair.lesion_ids for pair in other.across_lesions] == [("L1", "L3")]
    assert other.across_lesions[0].correlation > 0.99
    assert other.across_lesions[0].bits <= MAX_DIFFERENT_BITS


def test_pictures_without_contrast_and_an_empty_list_are_handled() -> None:
    flat = [fingerprint(np.full((64, 64, 3), shade, np.uint8)) for shade in (10, 10, 200)]
    found = find_duplicates(["a", "b", "c"], ["a", "b", "c"], flat)
    assert [pair.image_ids for pair in found.across_lesions] == [("a", "b")]
    assert find_duplicates([], [], []).across_lesions == []


def test_every_pair_is_found_once_also_across_blocks() -> None:
    random = np.random.default_rng(3)
    bits = random.integers(0, 2**63, 1500).astype(np.uint64)
    twins = [(3, 1400), (600, 601), (511, 512), (0, 1499)]
    for one, other in twins:
        bits[other] = bits[one] ^ np.uint64(0b1011)
    grey = random.integers(0, 256, (1500, 32, 32)).astype(np.uint8)
    for one, other in twins:
        grey[other] = grey[one]
    names = [str(number) for number in range(1500)]
    found = find_duplicates(names, names, [Fingerprint(*pair) for pair in zip(bits, grey, strict=True)])
    assert sorted(pair.image_ids for pair in found.across_lesions) == sorted((str(a), str(b)) for a, b in twins)


def test_ten_thousand_pictures_are_compared_in_seconds() -> None:
    random = np.random.default_rng(3)
    thumbnail = np.zeros((32, 32), np.uint8)
    fingerprints = [Fingerprint(bits, thumbnail) for bits in random.integers(0, 2**63, 10_000).astype(np.uint64)]
    names = [str(number) for number in range(10_000)]
    began = time.process_time()
    find_duplicates(names, names, fingerprints)
    assert time.process_time() - began < 20  # about 1.5 s; every pair in Python would take minutes
