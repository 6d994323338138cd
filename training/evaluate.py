"""From a model bundle and labelled pictures to a report: what the file that serves is worth on them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.bundle import MODEL, REFERENCE, Manifest, read_bundle
from contract.errors import DatasetError
from contract.reference import Reference
from training.artifact.answers import Answers
from training.atomic_folder import atomic_folder, refuse_nonempty
from training.data.cache import open_cache
from training.evaluation.calibrate import Calibration
from training.evaluation.examine import ask_about, examine
from training.evaluation.labelled import Labelled, decode_folder, read_labelled
from training.evaluation.measure import Evaluation
from training.evaluation.report.mistakes import find_mistakes
from training.evaluation.report.write import Subject, write_report
from training.evaluation.unfamiliar import GIVEN
from training.fitting.batches import Pictures
from training.progress import OnProgress
from training.reporting.page import PAGE


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What came out, and where it can be read."""

    manifest: Manifest
    labelled: Labelled
    evaluation: Evaluation
    notes: tuple[str, ...]  # sentences for people: which pictures these are, and what could not be measured
    page: Path


def evaluate_bundle(
    bundle: Path,
    folder: Path,
    out: Path,
    *,
    metadata: Path | None = None,
    unfamiliar: Path | None = None,
    cache: Path,
    on_progress: OnProgress = lambda *_: None,
) -> Evaluated:
    """Evaluate a bundle's own file, thresholds and temperature on labelled pictures, and write a report.

    Of the pictures that it was trained on, the held-out lesions alone are taken; of any others, all.

    Args:
        bundle: the folder of one version.
        folder: of the pictures.
        out: where the report goes; made, unless it is there and empty. It shows pictures: it is for whoever may see
            them.
        metadata: the table, if it is not `HAM10000_metadata.csv` in the folder.
        unfamiliar: a folder of pictures that show no lesion, or None.
        cache: where decoded pictures are kept between runs.
        on_progress: called with what is being done, how many are done, of how many.

    Raises:
        BundleError: the bundle is not whole.
        DatasetError: the pictures cannot be evaluated on, or `out` is not empty; nothing was written.
    """
    refuse_nonempty(out)
    manifest = read_bundle(bundle)
    reference = Reference.read(bundle / REFERENCE)
    labelled = read_labelled(folder, metadata, manifest)
    dataset, positions = labelled.dataset, labelled.positions
    rows = dataset.rows.iloc[positions].reset_index(drop=True)
    pixels = open_cache(dataset.subset(positions), manifest.input.size, cache, on_progress)
    pictures = Pictures(pixels, np.arange(len(rows)), rows["class_index"].to_numpy())
    others, skipped = ({}, ()) if unfamiliar is None else _ask_about_folder(bundle, unfamiliar, manifest, on_progress)
    evaluation, verdicts = examine(
        bundle / MODEL,
        pictures,
        rows,
        calibration_of(manifest),
        reference,
        seed=manifest.data.split_seed,
        on_progress=on_progress,
        others=others,
        absent=labelled.absent,
    )
    notes = (labelled.scope, *labelled.notes, *skipped, *evaluation.left_out)
    subject = Subject(
        model=f"Model {manifest.version}",
        data=dataset.name,
        scope=" ".join((labelled.scope, *labelled.notes, *skipped)),
        operating_points=manifest.operating_points,
        temperature=manifest.temperature,
        prior_correction=manifest.training.prior_correction,
        false_alarm_rate=manifest.unfamiliar.false_alarm_rate,
        unfamiliar_threshold=manifest.unfamiliar.threshold,
        shipped=manifest.shipped.reason,
    )
    with atomic_folder(out) as unfinished:
        write_report(unfinished, evaluation, subject, find_mistakes(verdicts, rows, pixels, pictures.rows))
    return Evaluated(manifest, labelled, evaluation, notes, out.absolute() / PAGE)


def calibration_of(manifest: Manifest) -> Calibration:
    """Read back what was chosen on validation lesions when the model was made."""
    return Calibration(
        temperature=manifest.temperature,
        operating_points=manifest.operating_points,
        neighbours=manifest.unfamiliar.neighbours,
        unfamiliar_threshold=manifest.unfamiliar.threshold,
        false_alarm_rate=manifest.unfamiliar.false_alarm_rate,
    )


def _ask_about_folder(
    bundle: Path, folder: Path, manifest: Manifest, on_progress: OnProgress
) -> tuple[dict[str, Answers], tuple[str, ...]]:
    """Ask about a folder of pictures that show no lesion; the answers, and a sentence if some could not be decoded."""
    answers: list[Answers] = []
    asked = skipped = 0
    for pixels, undecoded in decode_folder(folder, manifest.input.size):
        skipped += undecoded
        answers.append(ask_about(bundle / MODEL, pixels))
        asked += len(pixels)
    if not answers:
        raise DatasetError(f"None of the {skipped} pictures in {folder} can be decoded: name another folder.")
    on_progress("asking about pictures without a lesion", asked, asked)
    joined = Answers(
        np.concatenate([of.probabilities for of in answers]), np.concatenate([of.embeddings for of in answers])
    )
    said = (f"{skipped} of the {asked + skipped} pictures in {folder} cannot be decoded and are left out.",)
    return {GIVEN: joined}, said if skipped else ()
