"""Finish a model bundle: describe its files in a manifest, and move the complete folder to its final name."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contract.bundle import (
    INPUT_NAME,
    INTENDED_USE,
    MANIFEST,
    MODEL,
    OUTPUT_NAMES,
    SCHEMA_VERSION,
    BundleFile,
    DataRecord,
    Manifest,
    ModelInput,
    Shipped,
    TrainingRecord,
    describe_file,
    licence_of,
    version_of,
)
from contract.labels import CODES
from training.artifact.quantize import Int8GateResult
from training.atomic_folder import move_into_place
from training.evaluation.calibration.calibrate import Calibration
from training.evaluation.measure import Evaluation
from training.evaluation.report.card import MODEL_CARD, model_card


@dataclass(frozen=True, kw_only=True, eq=False)
class BundleContents:
    """The values that the manifest records."""

    size: int  # of the model's input, in pixels
    calibration: Calibration  # chosen on validation lesions
    evaluation: Evaluation  # on held-out lesions
    gate: Int8GateResult  # which file ships, and why
    data: DataRecord
    training: TrainingRecord


def finish_bundle(folder: Path, out: Path, contents: BundleContents) -> tuple[Path, Manifest]:
    """Write the model card and the manifest into a folder, and rename it to `<out>/<version>`.

    Args:
        folder: `training.atomic_folder.temporary_folder(out)`, with all other files of the bundle in it; it is moved.
        out: folder of the versions.
        contents: for the manifest.

    Returns:
        the bundle's folder and its manifest.
    """
    calibration, evaluation, gate = contents.calibration, contents.evaluation, contents.gate
    created_at = datetime.now(UTC).replace(microsecond=0)
    version = version_of(created_at, describe_file(folder / MODEL).sha256)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        version=version,
        created_at=created_at,
        labels=CODES,
        input=ModelInput(name=INPUT_NAME, size=contents.size),
        outputs=OUTPUT_NAMES,
        files=_describe_files(folder),
        temperature=calibration.temperature,
        operating_points=calibration.operating_points,
        unfamiliar=calibration.unfamiliar,
        shipped=Shipped(precision=gate.ships, reason=gate.reason),
        metrics=evaluation.metrics,
        per_class=evaluation.per_class,
        slices=evaluation.slices,
        robustness=evaluation.robustness,
        data=contents.data,
        training=contents.training,
        licence=licence_of(contents.data.name),
        intended_use=INTENDED_USE,
    )
    (folder / MODEL_CARD).write_text(model_card(manifest))
    manifest = manifest.model_copy(update={"files": _describe_files(folder)})  # with the card
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    move_into_place(folder, out / version)
    return out / version, manifest


def _describe_files(folder: Path) -> dict[str, BundleFile]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): describe_file(path) for path in files}
