"""The model bundle: what training publishes, what serving refuses or loads, and where a version lies.

A bundle is one folder, `models/<version>/`, of a manifest and the files whose hashes it names. Nothing about a model is
known from anywhere else: its labels, its input size and its operating points come from here.
"""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.api import Metric, OperatingPoint
from contract.errors import BundleError
from contract.labels import CODES
from contract.layout import MANIFEST as MANIFEST
from contract.layout import MODEL as MODEL
from contract.layout import MODEL_FP32 as MODEL_FP32
from contract.layout import REFERENCE as REFERENCE

SCHEMA_VERSION: Final = 1
HELD_OUT: Final = "held-out.csv"  # what the file that serves says of each held-out picture; bundles may lack it
GOLDEN: Final = "golden/answers.json"  # and of a few painted pictures beside it; bundles may lack it

INPUT_NAME: Final = "pixels"
OUTPUT_NAMES: Final = ("probabilities", "class_map", "embedding")

ANY_MALIGNANT: Final = "any_malignant"  # the operating point that decides between see_a_doctor and low_risk

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{8}$")]

LICENCE: Final = "CC BY-NC 4.0 (trained on HAM10000): non-commercial use only, with attribution"
INTENDED_USE: Final = (
    "Research and education on dermatoscopic pictures of pigmented skin lesions. Decision support at most, "
    "never a diagnosis; not tested on other skin tones, cameras or clinical photographs."
)


class Part(BaseModel):
    """What every part of a manifest has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # JSON has no word for NaN


class ModelInput(Part):
    """The one input: uint8 `[N, size, size, 3]`, RGB, 0..255."""

    name: str
    size: Annotated[int, Field(ge=32, le=1024)]  # pixels


class BundleFile(Part):
    """What a file of the bundle must be."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class Unfamiliar(Part):
    """How a picture unlike the training pictures is told: its score is over the threshold."""

    method: Literal["knn_cosine_low_rank"]  # `contract.reference.Reference.unfamiliarity`
    neighbours: Annotated[int, Field(ge=1)]  # k
    threshold: float
    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)]  # share of validation pictures over it, as it was chosen


class DataRecord(Part):
    """The labelled pictures that the model was trained on."""

    name: str
    sha256: Sha256  # of the metadata rows used
    images: Annotated[int, Field(ge=1)]
    lesions: Annotated[int, Field(ge=1)]
    per_class: dict[str, int]  # pictures
    split_seed: int
    split_sha256: Sha256  # of which pictures were learned from, chosen by and held out


class Group(Part):
    """Some of the held-out pictures, and what was measured on them alone."""

    pictures: Annotated[int, Field(ge=1)]
    lesions: Annotated[int, Field(ge=1)]
    metrics: dict[str, Metric]  # those that these pictures allow


class Shipped(Part):
    """Which file serves, and the sentence that says why."""

    precision: Literal["int8", "fp32"]
    reason: str


class PhaseSpeed(Part):
    """How fast a phase of training went, and whether it waited for its data."""

    images_per_s: Annotated[float, Field(ge=0)]  # learned from
    step_ms: Annotated[float, Field(ge=0)]  # the mean, without waiting
    feed_images_per_s: Annotated[float, Field(ge=0)]  # that one reading thread gives
    waiting_share: Annotated[float, Field(ge=0, le=1)]  # of the steps' time


class TrainingRecord(Part):
    """How the model came about."""

    job: str
    git_commit: str | None
    config: dict[str, Any]
    versions: dict[str, str]  # of the frameworks
    backend: str
    device: str
    seconds: Annotated[float, Field(ge=0)]  # of the session that finished it
    weights_sha256: Sha256 | None = None  # of the weights that it started from
    # Share of the log of the classes' frequencies that is in the logits, chosen on validation lesions.
    prior_correction: Annotated[float, Field(ge=0, le=1)] = 0.0
    precision: str | None = None  # Keras's dtype policy in training
    epochs: Annotated[int, Field(ge=0)] | None = None
    epochs_s: Annotated[float, Field(ge=0)] | None = None  # that these took, in whichever session
    times_resumed: Annotated[int, Field(ge=0)] = 0
    speed: dict[str, PhaseSpeed] = {}  # of each phase
    peak_memory_mb: Annotated[float, Field(gt=0)] | None = None  # of the process, with what it mapped from disk


class Manifest(Part):
    """`manifest.json`: everything that is known about a model."""

    schema_version: Literal[1]
    version: Version
    created_at: AwareDatetime  # UTC
    labels: tuple[str, ...]
    input: ModelInput
    outputs: tuple[str, ...]
    files: dict[str, BundleFile]  # all files of the bundle but the manifest, by path inside it
    temperature: Annotated[float, Field(gt=0)]  # already in the graph; here for the record
    operating_points: dict[str, OperatingPoint]
    unfamiliar: Unfamiliar
    shipped: Shipped
    metrics: dict[str, Metric]  # on held-out lesions
    per_class: dict[str, Group]  # one class against the rest, by code; a class that was not held out is absent
    slices: dict[str, dict[str, Group]]  # by what (age, sex, site, confirmed_by) -> which -> the group
    data: DataRecord
    training: TrainingRecord
    licence: str
    intended_use: str

    @model_validator(mode="after")
    def _agrees_with_this_code(self) -> "Manifest":
        if self.labels != CODES:
            raise ValueError(f"its labels are {', '.join(self.labels)}; this code serves {', '.join(CODES)}")
        if self.input.name != INPUT_NAME or self.outputs != OUTPUT_NAMES:
            raise ValueError("its input or outputs have other names than this code calls")
        if missing := {MODEL, REFERENCE} - self.files.keys():
            raise ValueError(f"it names no {', '.join(sorted(missing))}")
        if any(not _SAFE_PATH.fullmatch(name) for name in self.files):
            raise ValueError("it names a file outside the bundle")
        if ANY_MALIGNANT not in self.operating_points:
            raise ValueError(f"it has no operating point {ANY_MALIGNANT}")
        if set(self.per_class) - set(CODES):
            raise ValueError("it measures classes that are not among its labels")
        for name, point in self.operating_points.items():
            if not point.classes or set(point.classes) - set(CODES):
                raise ValueError(f"the operating point {name} adds up classes that are not among its labels")
        return self


_SAFE_PATH: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")


def licence_of(data_name: str) -> str:
    """Tell under which licence a model stands that was trained on a data set of this name."""
    if data_name == "synthetic":
        return "MIT, like the program that painted its training pictures: a model to try the software with, no more"
    return LICENCE if data_name == "HAM10000" else f"that of its training pictures ({data_name})"


def version_of(created_at: datetime, model_sha256: str) -> str:
    """Name a model after when it was made (a time with its zone, named to the second in UTC) and what it is."""
    return f"{created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{model_sha256[:8]}"


def key_of(version: str, file: str = "") -> str:
    """Tell where a version, or one of its files, lies in the models bucket."""
    return f"models/{version}/{file}" if file else f"models/{version}"


def describe_file(path: Path) -> BundleFile:
    """Hash and measure a file that is to go into a bundle."""
    with path.open("rb") as opened:
        return BundleFile(sha256=hashlib.file_digest(opened, "sha256").hexdigest(), bytes=path.stat().st_size)


def parse_manifest(text: str | bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BundleError: it is no JSON, does not follow the schema, or belongs to other labels than this code's.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        why = first["msg"].removeprefix("Value error, ")  # pydantic's word before a sentence of ours
        raise BundleError(
            f"The model's manifest is not valid at {where}: {why}. Publish the model again with this code."
        ) from error


def read_bundle(folder: Path) -> Manifest:
    """Read a bundle's manifest and verify every file that it names.

    Raises:
        BundleError: the manifest or a file is missing, or a file is not the one that the manifest describes.
    """
    try:
        manifest = parse_manifest((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise BundleError(
            f"There is no {MANIFEST} in {folder}: it is not a model bundle. Name the folder that training wrote."
        ) from error
    for name, expected in manifest.files.items():
        check_file(folder / name, name, expected)
    return manifest


def check_file(path: Path, name: str, expected: BundleFile) -> None:
    """Compare one file with what its manifest says of it.

    Raises:
        BundleError: it is missing, or its length or hash differs.
    """
    try:
        actual = describe_file(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise BundleError(f"The model bundle lacks {name}. Publish the model again.") from error
    if actual != expected:
        raise BundleError(
            f"The model bundle's {name} is not the file that its manifest describes: the hash or the length differs. "
            "Publish the model again."
        )
