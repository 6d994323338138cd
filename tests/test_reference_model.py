"""The reference model: complete, as good as docs/model.md says, and the same on every machine."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.local import REFERENCE_MODEL
from contract.bundle import ANY_MALIGNANT, MODEL_FP32, Manifest, read_bundle
from contract.image import decode_image
from contract.labels import BY_CODE, CODES
from functions.classify.classifier import Classifier
from training.artifact.golden import TOLERANCE, difference, read_golden
from training.artifact.held_out import read_held_out
from training.evaluation.calibration.operating_points import sum_probabilities
from training.evaluation.report.words import EXPLANATIONS

PAGE = Path("docs/model.md")
LOWEST_BALANCED_ACCURACY = 0.70  # on held-out lesions
SHOWN = (
    "balanced_accuracy",
    "macro_f1",
    "macro_auroc",
    "any_malignant_melanoma_sensitivity",
    "any_malignant_sensitivity",
    "any_malignant_specificity",
    "any_malignant_auroc",
    "melanoma_sensitivity",
    "melanoma_specificity",
    "ece",
    "unfamiliar_rate",
    "unfamiliar_auroc",
    "unfamiliar_detection_rate",
    "accuracy",
)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """Read its manifest, which checks every file."""
    return read_bundle(REFERENCE_MODEL)


def metrics_table(manifest: Manifest) -> str:
    """Write the table of metrics in docs/model.md."""
    rows = ["| metric | held-out lesions | 95% interval | meaning |", "| --- | --- | --- | --- |"]
    for name in SHOWN:
        metric = manifest.metrics[name]
        rows.append(f"| {name} | {metric.value:.3f} | {metric.low:.3f} to {metric.high:.3f} | {EXPLANATIONS[name]} |")
    return "\n".join(rows)


def class_table(manifest: Manifest) -> str:
    """Write the table of classes in docs/model.md."""
    rows = ["| class | pictures (lesions) | recall | precision | F1 | AUROC |", "| --- | --- | --- | --- | --- | --- |"]
    for code in CODES:
        group = manifest.per_class[code]
        shown = [
            f"{metric.value:.2f} ({metric.low:.2f} to {metric.high:.2f})"
            for metric in (group.metrics[name] for name in ("recall", "precision", "f1", "auroc"))
        ]
        rows.append(f"| {code}, {BY_CODE[code].name} | {group.pictures} ({group.lesions}) | {' | '.join(shown)} |")
    return "\n".join(rows)


@pytest.mark.parametrize("table", [metrics_table, class_table])
def test_docs_model_has_the_numbers_of_the_manifest(manifest: Manifest, table: Callable[[Manifest], str]) -> None:
    assert table(manifest) in PAGE.read_text()


def test_the_reference_model_is_good_and_small_enough(manifest: Manifest) -> None:
    assert manifest.metrics["balanced_accuracy"].value >= LOWEST_BALANCED_ACCURACY
    assert manifest.shipped.precision == "int8"
    assert MODEL_FP32 not in manifest.files
    assert sum(file.bytes for file in manifest.files.values()) < 30e6
    assert "CC BY-NC 4.0" in manifest.licence


def test_golden_pictures_get_the_same_probabilities_as_when_the_model_was_made(manifest: Manifest) -> None:
    classifier = Classifier(REFERENCE_MODEL, manifest, threads=1)
    golden = read_golden(REFERENCE_MODEL)
    assert len(golden) == len(CODES)
    for picture in golden:
        probabilities = classifier.predict(decode_image(picture.encoded, manifest.input.size).pixels).probabilities
        assert difference(picture, dict(zip(CODES, map(float, probabilities), strict=True))) < TOLERANCE, picture.name


def test_the_metrics_can_be_computed_from_the_held_out_predictions(manifest: Manifest) -> None:
    held_out = read_held_out(REFERENCE_MODEL)
    assert held_out is not None
    truth, probabilities = held_out.rows["class_index"].to_numpy(), held_out.probabilities
    recalls = [np.mean(probabilities[truth == index].argmax(axis=1) == index) for index in range(len(CODES))]
    assert np.mean(recalls) == pytest.approx(manifest.metrics["balanced_accuracy"].value, abs=1e-6)
    point = manifest.operating_points[ANY_MALIGNANT]
    over = sum_probabilities(probabilities, point.classes) >= point.threshold
    measured = manifest.metrics["any_malignant_melanoma_sensitivity"].value
    assert np.mean(over[truth == CODES.index("mel")]) == pytest.approx(measured, abs=1e-6)


def test_every_figure_in_docs_model_exists(manifest: Manifest) -> None:
    figures = re.findall(r"\]\(\.\./models/reference/([^)]+)\)", PAGE.read_text())
    assert {"report/figures/01-confusion.png", "report/figures/06-reliability.png"} <= set(figures)
    assert set(figures) <= manifest.files.keys() | {"model-card.md"}


def test_the_reference_model_contains_no_picture_of_the_data_set(manifest: Manifest) -> None:
    drawn = re.compile(r"report/figures/\d\d-[a-z-]+\.png|golden/[a-z]+\.jpg")
    pictures = [name for name in manifest.files if name.endswith((".png", ".jpg", ".jpeg", ".webp"))]
    assert all(drawn.fullmatch(name) for name in pictures), pictures
    assert set(json.loads((REFERENCE_MODEL / "report/metrics.json").read_text())["metrics"]) == set(manifest.metrics)
