"""Which pictures are nearly the same: found by a perceptual hash, confirmed by their grey values.

A hash of 64 bits (the signs of a picture's lowest frequencies: Zauner, "Implementation and benchmarking of perceptual
image hash functions", 2010, pHash's DCT variant) changes little when a picture is scaled, recompressed or relit. Two
dark moles in the middle of pale skin have hashes that are near as well, so what is near is compared again, by the
correlation of small grey copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import imagehash
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

HASHED_PX: Final = 64  # side of the square that is hashed
NEAR_BITS: Final = 10  # of 64 that may differ
# Of 8,802 pictures of HAM10000, 9,000 pairs of different lesions are within 10 bits. One of them is one photograph
# twice (0.999); the next reaches 0.973.
SAME_CORRELATION: Final = 0.985
THUMBNAIL_PX: Final = 32
COMPARED_AT_ONCE: Final = 512  # rows of the table of distances: bounds the memory


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is kept of a picture to compare it with others."""

    bits: np.uint64
    thumbnail: np.ndarray  # grey, uint8, shape (THUMBNAIL_PX, THUMBNAIL_PX)


class DuplicatePair(BaseModel):
    """Two pictures that are nearly the same."""

    model_config = ConfigDict(frozen=True)

    image_ids: tuple[str, str]
    lesion_ids: tuple[str, str]
    bits: int  # of 64 in which their hashes differ
    correlation: float  # of their grey values; 1 is the same up to contrast and brightness


class Duplicates(BaseModel):
    """What was found among all pictures."""

    model_config = ConfigDict(frozen=True)

    within_lesions: list[DuplicatePair]  # harmless: they are never split
    across_lesions: list[DuplicatePair]  # one could be learned from and the other judged by


def fingerprint(pixels: np.ndarray) -> Fingerprint:
    """Reduce a picture to what it is compared by.

    Args:
        pixels: RGB, uint8, shape (size, size, 3), of any size.
    """
    grey = Image.fromarray(pixels).convert("L")
    bits = np.packbits(imagehash.phash(grey, hash_size=8).hash.ravel()).view(np.uint64)[0]
    return Fingerprint(bits, np.asarray(grey.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)))


def find_duplicates(
    image_ids: Sequence[str], lesion_ids: Sequence[str], fingerprints: Sequence[Fingerprint]
) -> Duplicates:
    """Find every pair that differs in at most NEAR_BITS and correlates by at least SAME_CORRELATION.

    Every hash is held against every other, as 64-bit numbers in blocks: a second for 10,000 pictures.

    Args:
        image_ids: of the pictures.
        lesion_ids: likewise, one for each picture.
        fingerprints: likewise.
    """
    bits = np.array([print_.bits for print_ in fingerprints], np.uint64)
    grey = np.array([print_.thumbnail for print_ in fingerprints], np.float32).reshape(-1, THUMBNAIL_PX**2)
    within: list[DuplicatePair] = []
    across: list[DuplicatePair] = []
    for first, second in _near_pairs(bits):
        correlation = _correlation(grey[first], grey[second])
        if correlation >= SAME_CORRELATION:
            pair = DuplicatePair(
                image_ids=(image_ids[first], image_ids[second]),
                lesion_ids=(lesion_ids[first], lesion_ids[second]),
                bits=int(np.bitwise_count(bits[first] ^ bits[second])),
                correlation=round(correlation, 4),
            )
            (within if lesion_ids[first] == lesion_ids[second] else across).append(pair)
    return Duplicates(within_lesions=within, across_lesions=across)


def _near_pairs(bits: np.ndarray) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(bits), COMPARED_AT_ONCE):
        block = bits[start : start + COMPARED_AT_ONCE, None]
        near = np.bitwise_count(block ^ bits[None, start:]) <= NEAR_BITS
        first, second = np.nonzero(np.triu(near, k=1))  # the block begins at its own first column
        pairs += zip((first + start).tolist(), (second + start).tolist(), strict=True)
    return pairs


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of two flat pictures; of two without any contrast, 1 if they are equal."""
    first, second = one - one.mean(), other - other.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / scale if scale else float(np.array_equal(one, other))
