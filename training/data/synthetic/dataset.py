"""Write a small synthetic data set in HAM10000's published layout, to try everything without the real pictures."""

import csv
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from contract.errors import DatasetError
from contract.image import decode_image
from contract.labels import CODES
from contract.quality import assess
from training.atomic_folder import atomic_folder
from training.data.ham10000 import COLUMNS, Dataset, read_dataset
from training.data.layout import IMAGES, METADATA
from training.data.synthetic.paint import paint_patch
from training.data.synthetic.photograph import photograph
from training.progress import OnProgress, ignore_progress

SHARES: Final = {"akiec": 0.09, "bcc": 0.11, "bkl": 0.14, "df": 0.07, "mel": 0.14, "nv": 0.38, "vasc": 0.07}
MIN_PICTURES: Final = 6  # of a class
MIN_LESIONS: Final = 4  # of a class, so that it can be split
PICTURES_PER_LESION: Final = 1.3  # similar to HAM10000
MAX_PER_LESION: Final = 3  # pictures
JPEG_QUALITY: Final = 90
MODEL_SIZE_PX: Final = 224  # the usual input of a model

SITES: Final = {
    "akiec": ("face", "scalp", "hand", "neck", "lower extremity"),
    "bcc": ("face", "back", "trunk", "neck", "lower extremity"),
    "bkl": ("face", "back", "trunk", "upper extremity"),
    "df": ("lower extremity", "upper extremity", "trunk"),
    "mel": ("back", "lower extremity", "upper extremity", "chest"),
    "nv": ("back", "trunk", "abdomen", "lower extremity", "foot"),
    "vasc": ("trunk", "abdomen", "back", "chest", "acral"),
}
DX_TYPES: Final = {  # diagnosis methods, the most frequent first
    "akiec": ("histo",),
    "bcc": ("histo",),
    "bkl": ("histo", "consensus", "confocal"),
    "df": ("histo", "consensus"),
    "mel": ("histo",),
    "nv": ("follow_up", "histo", "consensus"),
    "vasc": ("consensus", "histo"),
}
MEAN_AGE: Final = {"akiec": 66, "bcc": 67, "bkl": 64, "df": 52, "mel": 61, "nv": 45, "vasc": 51}  # years
UNKNOWN_AGES: Final = 0.02  # share of the lesions
UNKNOWN_SEXES: Final = 0.01  # share of the lesions


@dataclass(frozen=True, kw_only=True)
class _PlannedLesion:
    """A lesion to paint, and the number of its pictures."""

    number: int
    code: str
    pictures: int


def write_synthetic_dataset(
    folder: Path, images: int = 350, seed: int = 7, on_progress: OnProgress = ignore_progress
) -> Dataset:
    """Paint `images` pictures of 600x450 and write them with their table, in HAM10000's layout.

    The classes have different sizes, and some lesions have several pictures. The same arguments give the same files.
    An error or an interrupt removes the folder.

    Args:
        folder: the target, absent or empty; its parent folders are made.
        images: number of pictures.
        seed: not negative; another seed paints other lesions.
        on_progress: called as ("painting pictures", number done, total).

    Raises:
        DatasetError: the folder is not empty, or `images` is too small for every class.
        OSError: the folder cannot be written.
    """
    plan = _plan(images, np.random.default_rng(seed))
    with atomic_folder(folder) as partial_folder:
        (partial_folder / IMAGES).mkdir()
        _write(partial_folder, plan, images, seed, on_progress)
    return read_dataset(folder)


def _plan(images: int, random: np.random.Generator) -> list[_PlannedLesion]:
    """Decide the number of lesions of each class and of pictures of each lesion, in random order."""
    minimum = MIN_PICTURES * len(CODES)
    if images < minimum:
        raise DatasetError(f"{images} pictures are too few for every class: use at least {minimum}.")
    pictures_of = {code: MIN_PICTURES + int(SHARES[code] * (images - minimum)) for code in CODES}
    pictures_of["nv"] += images - sum(pictures_of.values())  # the remainder of rounding down
    lesions: list[tuple[str, int]] = []
    for code, pictures in pictures_of.items():
        counts = [1] * max(MIN_LESIONS, round(pictures / PICTURES_PER_LESION))
        while sum(counts) < pictures:
            lesion = int(random.integers(len(counts)))
            counts[lesion] += counts[lesion] < MAX_PER_LESION
        lesions += [(code, count) for count in counts]
    order = random.permutation(len(lesions)).tolist()
    return [
        _PlannedLesion(number=number, code=lesions[position][0], pictures=lesions[position][1])
        for number, position in enumerate(order)
    ]


def _write(folder: Path, plan: list[_PlannedLesion], images: int, seed: int, on_progress: OnProgress) -> None:
    """Paint on every core, and write in the order of the plan: the files do not depend on the number of cores."""
    rows: list[dict[str, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for metadata, pictures in pool.map(partial(_paint, seed=seed), plan):
                for encoded in pictures:
                    image_id = f"SYNTHETIC_{len(rows):07d}"
                    (folder / IMAGES / f"{image_id}.jpg").write_bytes(encoded)
                    rows.append({**metadata, "image_id": image_id})
                    on_progress("painting pictures", len(rows), images)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # otherwise an interrupt waits for all pictures
            raise
    with (folder / METADATA).open("w", encoding="utf-8", newline="") as opened:
        table = csv.DictWriter(opened, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _paint(lesion: _PlannedLesion, seed: int) -> tuple[dict[str, str], list[bytes]]:
    """Make a lesion: its row of the table without the image_id, and its pictures as JPEG files."""
    random = np.random.default_rng([seed, lesion.number])  # independent of the other lesions
    return _describe(lesion, random), paint_lesion(lesion.code, lesion.pictures, random)


def paint_lesion(code: str, pictures: int, random: np.random.Generator) -> list[bytes]:
    """Paint a lesion of a class and photograph it several times: JPEG files of 600x450 that pass the quality check."""
    while True:  # about 1% of the lesions are too pale to be seen on the skin: paint another
        patch = paint_patch(code, random)
        photographs = [_jpeg(photograph(patch, random)) for _ in range(pictures)]
        if all(_is_good_enough(encoded) for encoded in photographs):
            return photographs


def _is_good_enough(encoded: bytes) -> bool:
    """Whether the picture passes the quality check of the API."""
    decoded = decode_image(encoded, MODEL_SIZE_PX)
    return not assess(decoded)


def _jpeg(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=JPEG_QUALITY, comment=b"Synthetic: not a photograph.")
    return encoded.getvalue()


def _describe(lesion: _PlannedLesion, random: np.random.Generator) -> dict[str, str]:
    """Make up the metadata of a lesion; ages are multiples of five years, as in HAM10000."""
    age = min(85, max(5, 5 * round(random.normal(MEAN_AGE[lesion.code], 14) / 5)))
    dx_types = DX_TYPES[lesion.code]
    return {
        "lesion_id": f"SYNTHETIC_LESION_{lesion.number:07d}",
        "dx": lesion.code,
        "dx_type": dx_types[min(int(random.exponential(0.8)), len(dx_types) - 1)],
        "age": "" if random.random() < UNKNOWN_AGES else f"{age:.1f}",
        "sex": "unknown" if random.random() < UNKNOWN_SEXES else str(random.choice(("female", "male"))),
        "localization": str(random.choice(SITES[lesion.code])),
    }
