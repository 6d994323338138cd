"""A small synthetic set in HAM10000's published layout, so that everything can be tried without the real pictures."""

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
from training.progress import OnProgress

SHARES: Final = {"akiec": 0.09, "bcc": 0.11, "bkl": 0.14, "df": 0.07, "mel": 0.14, "nv": 0.38, "vasc": 0.07}
FEWEST_PICTURES: Final = 6  # of a class
FEWEST_LESIONS: Final = 4  # of a class, so that it can be split
PICTURES_PER_LESION: Final = 1.3  # about as published
MOST_PER_LESION: Final = 3
JPEG_QUALITY: Final = 90
USUAL_SIZE_PX: Final = 224  # of the square that a model sees

SITES: Final = {
    "akiec": ("face", "scalp", "hand", "neck", "lower extremity"),
    "bcc": ("face", "back", "trunk", "neck", "lower extremity"),
    "bkl": ("face", "back", "trunk", "upper extremity"),
    "df": ("lower extremity", "upper extremity", "trunk"),
    "mel": ("back", "lower extremity", "upper extremity", "chest"),
    "nv": ("back", "trunk", "abdomen", "lower extremity", "foot"),
    "vasc": ("trunk", "abdomen", "back", "chest", "acral"),
}
CONFIRMED: Final = {  # how each diagnosis was made: the first is the commonest
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
UNKNOWN_SEXES: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class _PlannedLesion:
    """One lesion to paint, and how often to photograph it."""

    number: int
    code: str
    pictures: int


def write_sample(folder: Path, images: int = 350, seed: int = 7, on_progress: OnProgress | None = None) -> Dataset:
    """Paint `images` pictures of 600x450 and write them with their table, as HAM10000 lies on the disk.

    The classes are unequal, some lesions have several pictures, and the same arguments give the same files. The set
    appears whole or not at all: it is written beside `folder` and renamed.

    Args:
        folder: where the set shall be; made, with the folders above it, unless it is there and empty.
        images: how many pictures.
        seed: not negative; another one paints other lesions.
        on_progress: called as ("painting pictures", done, of how many).

    Raises:
        DatasetError: the folder is not empty, or so few pictures cannot hold every class.
        OSError: the folder cannot be written to; nothing is left of the set.
    """
    plan = _plan(images, np.random.default_rng(seed))
    with atomic_folder(folder) as unfinished:
        (unfinished / IMAGES).mkdir()
        _write(unfinished, plan, images, seed, on_progress)
    return read_dataset(folder)


def _plan(images: int, random: np.random.Generator) -> list[_PlannedLesion]:
    """Decide how many lesions each class has and how many pictures each of them, in an order that mixes the classes."""
    least = FEWEST_PICTURES * len(CODES)
    if images < least:
        raise DatasetError(f"{images} pictures are too few to hold every class: ask for at least {least}.")
    pictures_of = {code: FEWEST_PICTURES + int(SHARES[code] * (images - least)) for code in CODES}
    pictures_of["nv"] += images - sum(pictures_of.values())  # what rounding down has left
    lesions: list[tuple[str, int]] = []
    for code, pictures in pictures_of.items():
        counts = [1] * max(FEWEST_LESIONS, round(pictures / PICTURES_PER_LESION))
        while sum(counts) < pictures:
            again = int(random.integers(len(counts)))
            counts[again] += counts[again] < MOST_PER_LESION
        lesions += [(code, count) for count in counts]
    order = random.permutation(len(lesions)).tolist()
    return [
        _PlannedLesion(number=number, code=lesions[chosen][0], pictures=lesions[chosen][1])
        for number, chosen in enumerate(order)
    ]


def _write(folder: Path, plan: list[_PlannedLesion], images: int, seed: int, on_progress: OnProgress | None) -> None:
    """Paint on every core and write in the plan's order; what is painted does not depend on the number of cores."""
    rows: list[dict[str, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for about, pictures in pool.map(partial(_paint, seed=seed), plan):
                for encoded in pictures:
                    image_id = f"SYNTHETIC_{len(rows):07d}"
                    (folder / IMAGES / f"{image_id}.jpg").write_bytes(encoded)
                    rows.append({**about, "image_id": image_id})
                    if on_progress:
                        on_progress("painting pictures", len(rows), images)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # or an interrupt would wait for the whole set
            raise
    with (folder / METADATA).open("w", encoding="utf-8", newline="") as opened:
        table = csv.DictWriter(opened, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _paint(lesion: _PlannedLesion, seed: int) -> tuple[dict[str, str], list[bytes]]:
    """Invent a lesion: its columns of the table but for the image_id, and its pictures as JPEG files."""
    random = np.random.default_rng([seed, lesion.number])  # so that a lesion depends on no other
    return _describe(lesion, random), paint_lesion(lesion.code, lesion.pictures, random)


def paint_lesion(code: str, pictures: int, random: np.random.Generator) -> list[bytes]:
    """Paint a lesion of a class and photograph it several times: JPEG files of 600x450 that serving would judge."""
    while True:  # one lesion in a hundred is too pale to be told from the skin, and is painted anew
        patch = paint_patch(code, random)
        photographs = [_jpeg(photograph(patch, random)) for _ in range(pictures)]
        if all(_is_good_enough(encoded) for encoded in photographs):
            return photographs


def _is_good_enough(encoded: bytes) -> bool:
    """Tell whether serving would judge this picture, at the usual size."""
    decoded = decode_image(encoded, USUAL_SIZE_PX)
    return not assess(decoded.pixels, width=decoded.width, height=decoded.height)


def _jpeg(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=JPEG_QUALITY, comment=b"Synthetic: not a photograph.")
    return encoded.getvalue()


def _describe(lesion: _PlannedLesion, random: np.random.Generator) -> dict[str, str]:
    """Invent what the table says of a lesion; ages are multiples of five years, as published."""
    age = min(85, max(5, 5 * round(random.normal(MEAN_AGE[lesion.code], 14) / 5)))
    confirmed = CONFIRMED[lesion.code]
    return {
        "lesion_id": f"SYNTHETIC_LESION_{lesion.number:07d}",
        "dx": lesion.code,
        "dx_type": confirmed[min(int(random.exponential(0.8)), len(confirmed) - 1)],
        "age": "" if random.random() < UNKNOWN_AGES else f"{age:.1f}",
        "sex": "unknown" if random.random() < UNKNOWN_SEXES else str(random.choice(("female", "male"))),
        "localization": str(random.choice(SITES[lesion.code])),
    }
