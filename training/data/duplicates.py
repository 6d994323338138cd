"""Find near-duplicate pictures by a perceptual hash, and confirm them by the correlation of their grey values.

The hash has 64 bits: pHash's DCT variant, which keeps the signs of the lowest frequencies (Zauner, "Implementation and
benchmarking of perceptual image hash functions", 2010). It changes little when a picture is scaled, recompressed or
brightened. Pictures of two different dark moles on pale skin can also have similar hashes, so the candidates are
also compared by the correlation of small grey copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import imagehash
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

HASHED_PX: Final = 64  # side of the square that is hashed
MAX_DIFFERENT_BITS: Final = 10  # of 64
# Measured on 8,802 pictures of HAM10000: 9,000 pairs from different lesions differ in at most 10 bits. One pair is the
# same photograph (correlation 0.999); the next pair has 0.973.
MIN_CORRELATION: Final = 0.985
THUMBNAIL_PX: Final = 32
BLOCK: Final = 512  # rows of the distance matrix that are computed at once: limits the memory


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """The features of a picture that are compared."""

    bits: np.uint64
    thumbnail: np.ndarray  # grey, uint8, shape (THUMBNAIL_PX, THUMBNAIL_PX)


class DuplicatePair(BaseModel):
    """Two near-duplicate pictures."""

    model_config = ConfigDict(frozen=True)

    image_ids: tuple[str, str]
    lesion_ids: tuple[str, str]
    bits: int  # of 64 that differ between their hashes
    correlation: float  # of their grey values; 1: equal up to contrast and brightness


class Duplicates(BaseModel):
    """All near-duplicate pairs."""

    model_config = ConfigDict(frozen=True)

    within_lesions: list[DuplicatePair]  # harmless: a lesion is never split
    across_lesions: list[DuplicatePair]  # one could be in the training set and the other in the test set


def fingerprint(pixels: np.ndarray) -> Fingerprint:
    """Compute the features of a picture that are compared.

    Args:
        pixels: RGB, uint8, shape (size, size, 3), of any size.
    """
    grey = Image.fromarray(pixels).convert("L")
    bits = np.packbits(imagehash.phash(grey, hash_size=8).hash.ravel()).view(np.uint64)[0]
    return Fingerprint(bits, np.asarray(grey.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)))


def find_duplicates(
    image_ids: Sequence[str], lesion_ids: Sequence[str], fingerprints: Sequence[Fingerprint]
) -> Duplicates:
    """Find every pair with at most MAX_DIFFERENT_BITS and a correlation of at least MIN_CORRELATION.

    Compares all pairs of hashes, as 64-bit integers in blocks: about a second for 10,000 pictures.

    Args:
        image_ids: of the pictures.
        lesion_ids: of each picture.
        fingerprints: of each picture.
    """
    bits = np.array([fingerprint.bits for fingerprint in fingerprints], np.uint64)
    grey = np.array([fingerprint.thumbnail for fingerprint in fingerprints], np.float32).reshape(-1, THUMBNAIL_PX**2)
    within: list[DuplicatePair] = []
    across: list[DuplicatePair] = []
    for first, second in _candidate_pairs(bits):
        correlation = _correlation(grey[first], grey[second])
        if correlation >= MIN_CORRELATION:
            pair = DuplicatePair(
                image_ids=(image_ids[first], image_ids[second]),
                lesion_ids=(lesion_ids[first], lesion_ids[second]),
                bits=int(np.bitwise_count(bits[first] ^ bits[second])),
                correlation=round(correlation, 4),
            )
            (within if lesion_ids[first] == lesion_ids[second] else across).append(pair)
    return Duplicates(within_lesions=within, across_lesions=across)


def _candidate_pairs(bits: np.ndarray) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(bits), BLOCK):
        block = bits[start : start + BLOCK, None]
        near = np.bitwise_count(block ^ bits[None, start:]) <= MAX_DIFFERENT_BITS
        first, second = np.nonzero(np.triu(near, k=1))  # column 0 is the first row of the block
        pairs += zip((first + start).tolist(), (second + start).tolist(), strict=True)
    return pairs


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of two flat arrays; for a picture without contrast, 1 if both are equal, otherwise 0."""
    first, second = one - one.mean(), other - other.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / scale if scale else float(np.array_equal(one, other))
