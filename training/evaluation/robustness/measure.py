"""How well the answers hold when pictures are changed: the share of malignant lesions that a change makes low_risk.

Each picture is sent as it is and after every change of the table, through the same steps as in the function. The
changes of a picture depend on the seed, its id and the name of the change, not on the other pictures.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from contract.api import Metric
from contract.bundle import Robustness
from contract.image import decode_upright
from contract.labels import MALIGNANT_CODES
from training.data.decode import usable_cores
from training.evaluation.bootstrap import RESAMPLES, resample_lesions
from training.evaluation.robustness.changes import CHANGES, to_canvas
from training.evaluation.robustness.effects import measure_effect, measure_share
from training.evaluation.robustness.names import NAMES, TURNS
from training.evaluation.robustness.serving import Answers, Opened, ServedModel, join, open_as_served
from training.progress import OnProgress

SMALLEST: Final = 20  # malignant pictures with see_a_doctor; a share of fewer is too uncertain
CHOOSING: Final = "answering malignant pictures"
CHANGING: Final = "changing malignant pictures"
TURNING: Final = "turning pictures"
IN_FLIGHT: Final = 8  # pictures with all their changes: bounds the memory


class TooFewPicturesError(Exception):
    """There are too few pictures to measure the robustness; the message is for the notes of a report."""


def measure_robustness(
    model: ServedModel, rows: pd.DataFrame, *, at_most: int, seed: int, on_progress: OnProgress
) -> Robustness:
    """Change pictures, and compare the answers with those to the unchanged files.

    Args:
        model: with the file that serves.
        rows: of pictures that were not used to train it, with the columns of `training.data.ham10000.Dataset.rows`.
        at_most: so many malignant pictures get every change, and so many of all classes are turned. A sample has the
            classes in the same proportions.
        seed: of the sample, of the changes and of the bootstrap.
        on_progress: called with CHOOSING, CHANGING and TURNING, and the number of pictures done and their total.

    Raises:
        TooFewPicturesError: fewer than SMALLEST malignant pictures have the outcome see_a_doctor.
    """
    malignant = rows[rows["dx"].isin(MALIGNANT_CODES)]
    if len(malignant) < SMALLEST:
        raise _too_few(len(malignant), "malignant pictures")
    right = _with_right_answer(model, sample_by_class(malignant, at_most, seed), seed, on_progress)
    before, *after = _answer_changed(model, right, tuple(NAMES), seed, partial(on_progress, CHANGING))
    lesion_id = right["lesion_id"].to_numpy()
    weights = resample_lesions(lesion_id, RESAMPLES, seed)
    effects = {
        name: measure_effect(named.group, before, answers, lesion_id, weights)
        for (name, named), answers in zip(NAMES.items(), after, strict=True)
    }
    everything = sample_by_class(rows, at_most, seed)
    class_changes = measure_class_changes(model, everything, seed, partial(on_progress, TURNING))
    return Robustness(
        pictures=len(right),
        lesions=right["lesion_id"].nunique(),
        all_pictures=len(everything),
        all_lesions=everything["lesion_id"].nunique(),
        changes={
            name: effect.model_copy(update={"class_changes": class_changes.get(name)})
            for name, effect in effects.items()
        },
    )


def sample_by_class(rows: pd.DataFrame, at_most: int, seed: int) -> pd.DataFrame:
    """Draw at most so many rows, with the classes in the same proportions, in the order of the table.

    It is a systematic sample of the rows sorted by class (Cochran, Sampling Techniques, 1977, chapter 8).
    """
    if len(rows) <= at_most:
        return rows
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    by_class = shuffled[np.argsort(rows["class_index"].to_numpy()[shuffled], kind="stable")]
    chosen = by_class[((np.arange(at_most) + 0.5) * len(rows) / at_most).astype(int)]
    return rows.iloc[np.sort(chosen)]


def change_picture(encoded: bytes, image_id: str, names: Sequence[str], seed: int) -> Iterator[bytes]:
    """Make one file for each named change of a picture."""
    canvas = to_canvas(decode_upright(encoded))
    for name in names:
        random = np.random.default_rng([seed, zlib.crc32(image_id.encode()), zlib.crc32(name.encode())])
        yield CHANGES[name](canvas, random)


def _with_right_answer(model: ServedModel, malignant: pd.DataFrame, seed: int, on_progress: OnProgress) -> pd.DataFrame:
    """Return the pictures with the outcome see_a_doctor."""
    (answers,) = _answer_changed(model, malignant, (), seed, partial(on_progress, CHOOSING))
    if (right := int(answers.see_a_doctor.sum())) < SMALLEST:
        raise _too_few(right, "malignant pictures have the outcome see_a_doctor")
    return malignant[answers.see_a_doctor]


def measure_class_changes(
    model: ServedModel, rows: pd.DataFrame, seed: int, on_progress: Callable[[int, int], None]
) -> dict[str, Metric]:
    """Measure for each turn the share of pictures whose leading class changes."""
    before, *after = _answer_changed(model, rows, TURNS, seed, on_progress)
    lesion_id = rows["lesion_id"].to_numpy()
    weights = resample_lesions(lesion_id, RESAMPLES, seed)
    return {
        name: measure_share(answers.leading != before.leading, lesion_id, weights)
        for name, answers in zip(TURNS, after, strict=True)
    }


def _answer_changed(
    model: ServedModel, rows: pd.DataFrame, names: Sequence[str], seed: int, on_progress: Callable[[int, int], None]
) -> list[Answers]:
    """Answer every picture unchanged and after each named change.

    Returns:
        the answers to the unchanged files, then those for each name; each has the pictures in the order of the rows.
    """

    def open_all(picture: tuple[str, str]) -> list[Opened]:
        path, image_id = picture
        encoded = Path(path).read_bytes()
        files = [encoded, *change_picture(encoded, image_id, names, seed)] if names else [encoded]
        return [open_as_served(file, model.size) for file in files]

    pictures = list(zip(rows["path"], rows["image_id"], strict=True))
    answers: list[Answers] = []
    with ThreadPoolExecutor(usable_cores()) as pool:  # Pillow works without the interpreter's lock
        for start in range(0, len(pictures), IN_FLIGHT):
            for opened in pool.map(open_all, pictures[start : start + IN_FLIGHT]):
                answers.append(model.answer(opened))
                on_progress(len(answers), len(pictures))
    together = join(answers)
    return [together[number :: 1 + len(names)] for number in range(1 + len(names))]


def _too_few(found: int, what: str) -> TooFewPicturesError:
    return TooFewPicturesError(f"The robustness was not measured: {found} {what}, and at least {SMALLEST} are needed.")
