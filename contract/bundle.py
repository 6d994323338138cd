"""The model bundle: its manifest, its files and its place in S3.

A bundle is one folder, `models/<version>/`, with a manifest and the files that the manifest names with their hashes.
All facts about a model come from its bundle: labels, input size, operating points.
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
HELD_OUT: Final = "held-out.csv"  # predictions of the serving file for each test picture; optional
GOLDEN: Final = "golden/answers.json"  # predictions for a few synthetic pictures in the same folder; optional

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
    """Base of all parts of a manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # JSON has no NaN


class ModelInput(Part):
    """The one input: uint8 `[N, size, size, 3]`, RGB, 0..255."""

    name: str
    size: Annotated[int, Field(ge=32, le=1024)]  # pixels


class BundleFile(Part):
    """The hash and the length of a file of the bundle."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class Unfamiliar(Part):
    """How out-of-distribution pictures are detected: their score is over the threshold."""

    method: Literal["knn_cosine_low_rank"]  # `contract.reference.Reference.unfamiliarity`
    neighbours: Annotated[int, Field(ge=1)]  # k
    threshold: float
    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)]  # share of validation pictures over the threshold


class DataRecord(Part):
    """The labelled pictures that the model was trained on."""

    name: str
    sha256: Sha256  # of the metadata rows that were used
    images: Annotated[int, Field(ge=1)]
    lesions: Annotated[int, Field(ge=1)]
    per_class: dict[str, int]  # pictures
    split_seed: int
    split_sha256: Sha256  # of the assignment of pictures to training, validation and test


class Group(Part):
    """A subset of the test pictures, and its metrics."""

    pictures: Annotated[int, Field(ge=1)]
    lesions: Annotated[int, Field(ge=1)]
    metrics: dict[str, Metric]  # those that can be computed for these pictures


class ChangeEffect(Part):
    """What one change of the pictures, such as a dark border, does to answers that were right.

    The shares are those of malignant pictures with the outcome see_a_doctor before the change; the three add up to 1.
    """

    group: str  # of similar changes
    low_risk: Metric  # share with the outcome low_risk, and no finding about the quality
    noticed: Metric  # share that is unfamiliar or inconclusive, or has a finding: the person knows that it failed
    unchanged: Metric  # share that is still see_a_doctor
    probability_change: Metric  # mean absolute change of the malignant probability
    probability_change_p95: Metric  # its 95th percentile
    class_changes: Metric | None = None  # share of pictures of all classes whose leading class changes; only for turns


class Robustness(Part):
    """How well the answers hold when pictures are changed as cameras, dermoscopes and programs change them."""

    pictures: Annotated[int, Field(ge=1)]  # malignant, see_a_doctor before the change
    lesions: Annotated[int, Field(ge=1)]
    all_pictures: Annotated[int, Field(ge=1)]  # of all classes: for `class_changes`
    all_lesions: Annotated[int, Field(ge=1)]
    changes: dict[str, ChangeEffect]  # by name, of training/evaluation/robustness/changes.py


class Shipped(Part):
    """Which file serves, and why."""

    precision: Literal["int8", "fp32"]
    reason: str


class PhaseSpeed(Part):
    """The speed of a phase of training, and whether it waited for its data."""

    images_per_s: Annotated[float, Field(ge=0)]  # in training
    step_ms: Annotated[float, Field(ge=0)]  # mean, without waiting
    feed_images_per_s: Annotated[float, Field(ge=0)]  # that one reading thread can supply
    waiting_share: Annotated[float, Field(ge=0, le=1)]  # of the time of the steps


class TrainingRecord(Part):
    """How the model was trained."""

    job: str
    git_commit: str | None
    config: dict[str, Any]
    versions: dict[str, str]  # of the frameworks
    backend: str
    device: str
    seconds: Annotated[float, Field(ge=0)]  # of the session that finished the training
    weights_sha256: Sha256 | None = None  # of the initial weights
    # Factor of the log class frequencies that are added to the logits; chosen on validation lesions.
    prior_correction: Annotated[float, Field(ge=0, le=1)] = 0.0
    precision: str | None = None  # Keras dtype policy of the training
    epochs: Annotated[int, Field(ge=0)] | None = None
    epochs_s: Annotated[float, Field(ge=0)] | None = None  # duration of these epochs, over all sessions
    times_resumed: Annotated[int, Field(ge=0)] = 0
    speed: dict[str, PhaseSpeed] = {}  # of each phase
    peak_memory_mb: Annotated[float, Field(gt=0)] | None = None  # of the process, including files mapped from disk


class Manifest(Part):
    """`manifest.json`: all facts about a model."""

    schema_version: Literal[1]
    version: Version
    created_at: AwareDatetime  # UTC
    labels: tuple[str, ...]
    input: ModelInput
    outputs: tuple[str, ...]
    files: dict[str, BundleFile]  # all files of the bundle except the manifest, by path inside the bundle
    temperature: Annotated[float, Field(gt=0)]  # already in the graph; here for information
    operating_points: dict[str, OperatingPoint]
    unfamiliar: Unfamiliar
    shipped: Shipped
    metrics: dict[str, Metric]  # on test lesions
    per_class: dict[str, Group]  # one class against the rest, by code; without classes that have no test picture
    slices: dict[str, dict[str, Group]]  # attribute (age, sex, site, confirmed_by) -> its value -> group
    robustness: Robustness | None = None  # absent if there were too few test pictures, and in older bundles
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
    """Return the licence of a model trained on the data set of this name."""
    if data_name == "synthetic":
        return "MIT, like the program that painted its training pictures: a model to try the software with, no more"
    return LICENCE if data_name == "HAM10000" else f"that of its training pictures ({data_name})"


def version_of(created_at: datetime, model_sha256: str) -> str:
    """Make the version of a model from its creation time (with a time zone) and its hash."""
    return f"{created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{model_sha256[:8]}"


def key_of(version: str, file: str = "") -> str:
    """Return the key of a version, or of one of its files, in the models bucket."""
    return f"models/{version}/{file}" if file else f"models/{version}"


def describe_file(path: Path) -> BundleFile:
    """Return the hash and the length of a file."""
    with path.open("rb") as opened:
        return BundleFile(sha256=hashlib.file_digest(opened, "sha256").hexdigest(), bytes=path.stat().st_size)


def parse_manifest(text: str | bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BundleError: it is not JSON, does not follow the schema, or has other labels than this code.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        why = first["msg"].removeprefix("Value error, ")  # pydantic puts this before our sentence
        raise BundleError(
            f"The model's manifest is not valid at {where}: {why}. Publish the model again with this code."
        ) from error


def read_bundle(folder: Path) -> Manifest:
    """Read a bundle's manifest and verify every file that it names.

    Raises:
        BundleError: the manifest or a file is missing, or a file differs from the manifest.
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
    """Compare one file with its entry in the manifest.

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
