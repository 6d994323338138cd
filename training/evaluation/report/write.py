"""The report of an evaluation: one page that needs no other file, its figures as PNG, and every number as JSON."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.api import Metric, OperatingPoint
from contract.bundle import Group
from contract.labels import BY_CODE, CODES
from training.evaluation.bootstrap import RESAMPLES
from training.evaluation.calibrate import OPERATING_POINTS
from training.evaluation.measure import SMALLEST_SLICE, Evaluation
from training.evaluation.report import charts
from training.evaluation.report.mistakes import Mistake, contact_sheet
from training.evaluation.report.words import EXPLAINED, SLICE_NAMES, attribution_of, readable
from training.fitting.epoch import Epoch
from training.reporting.page import Chart, as_data_url, write_page
from training.reporting.style import CLASS_COLOURS

NUMBERS: Final = "metrics.json"
LEADING: Final = (
    "balanced_accuracy",
    "any_malignant_sensitivity",
    "any_malignant_specificity",
    "melanoma_sensitivity",
    "macro_auroc",
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What was evaluated, on what, and how it came about."""

    model: str  # its version, or what it is
    data: str  # name of the pictures
    scope: str  # a sentence: which of them, and whether training saw any
    operating_points: Mapping[str, OperatingPoint | None]  # None where each of several models has its own
    temperature: float | None  # None where several models answered
    prior_correction: float | None = None  # likewise
    false_alarm_rate: float | None  # at which the threshold for unfamiliar pictures was chosen
    unfamiliar_threshold: float | None = None
    shipped: str = ""  # a sentence: which file serves, and why
    epochs: Sequence[Epoch] = ()
    folds: Mapping[str, Mapping[str, float | None]] | None = (
        None  # metric -> "fold 1", "mean", "standard deviation" -> value
    )

    @property
    def attribution(self) -> str:
        """What the pictures' licence asks to be said."""
        return attribution_of(self.data)


def write_report(
    folder: Path, evaluation: Evaluation, subject: Subject, mistakes: Sequence[Mistake] | None = None
) -> Path:
    """Write report.html, metrics.json and figures/ into a folder, which is made.

    Args:
        folder: does not exist, or is empty.
        evaluation: what came out.
        subject: what it was about.
        mistakes: to show; None for a report that travels with a model, since people's pictures must not.

    Returns:
        Where the page is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NUMBERS).write_text(json.dumps(as_numbers(evaluation, subject, mistakes), indent=1) + "\n")
    return write_page(
        folder,
        "training.evaluation.report",
        _draw(evaluation, subject, mistakes or ()),
        evaluation=evaluation,
        subject=subject,
        leading=[(readable(name), evaluation.metrics[name]) for name in LEADING if name in evaluation.metrics],
        metrics=[(readable(name), metric, EXPLAINED[name]) for name, metric in evaluation.metrics.items()],
        classes=[(BY_CODE[code], CLASS_COLOURS[code], group) for code, group in evaluation.per_class.items()],
        decisions=_decisions(evaluation, subject),
        calibration=_calibration(evaluation.metrics),
        slice_names=SLICE_NAMES,
        smallest_slice=SMALLEST_SLICE,
        resamples=RESAMPLES,
        readable=readable,
        mistakes=[(mistake, as_data_url(mistake.square)) for mistake in mistakes or ()],
        today=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def as_numbers(evaluation: Evaluation, subject: Subject, mistakes: Sequence[Mistake] | None) -> dict[str, Any]:
    """Put everything that was measured into what JSON can hold."""
    counts = evaluation.confusion
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    numbers: dict[str, Any] = {
        "model": subject.model,
        "data": subject.data,
        "scope": subject.scope,
        "pictures": evaluation.pictures,
        "lesions": evaluation.lesions,
        "labels": CODES,
        "metrics": _dumped(evaluation.metrics),
        "per_class": {code: group.model_dump() for code, group in evaluation.per_class.items()},
        "operating_points": {
            name: None if point is None else point.model_dump() for name, point in subject.operating_points.items()
        },
        "confusion_matrix": counts.tolist(),
        "confusion_shares": (counts / totals).round(5).tolist(),  # of the row
        "roc": evaluation.roc,
        "precision_recall": evaluation.precision_recall,
        "reliability": evaluation.reliability,
        "slices": {
            name: {which: group.model_dump() for which, group in groups.items()}
            for name, groups in evaluation.slices.items()
        },
        "no_lesion": {
            kind: {"pictures": told.pictures, **_dumped({"auroc": told.auroc, "detection_rate": told.detection_rate})}
            for kind, told in evaluation.strangers.items()
        },
        "left_out": list(evaluation.left_out),
        "epochs": [asdict(epoch) for epoch in subject.epochs],
    }
    if subject.folds is not None:
        numbers["folds"] = subject.folds
    if mistakes is not None:
        numbers["mistakes"] = [
            {name: value for name, value in vars(mistake).items() if name != "square"} for mistake in mistakes
        ]
    return numbers


def _draw(evaluation: Evaluation, subject: Subject, mistakes: Sequence[Mistake]) -> list[Chart]:
    n = f"n = {evaluation.pictures:,} pictures of {evaluation.lesions:,} lesions"
    metrics, per_class = evaluation.metrics, evaluation.per_class
    drawn = [
        Chart("confusion", "What is taken for what", "Pictures of the row's class that were taken for the column's, "
              f"and their share of the row, which colours the cell ({n}).", charts.confusion(evaluation.confusion)),
        Chart("classes", "How well each class is recognised", f"Recall, precision and F1 of each class ({n}).",
              charts.classes(per_class)),
        Chart("roc", "ROC curves, one class against the rest", f"Beside each class, the area under its curve ({n}).",
              charts.curves(evaluation.roc, _areas(per_class, "auroc"), kind="roc")),
        Chart("precision-recall", "Precision and recall, one class against the rest", "Beside each class, its average "
              f"precision ({n}). What chance would reach is the class's share of the pictures.",
              charts.curves(evaluation.precision_recall, _areas(per_class, "average_precision"), kind="pr")),
        Chart("decisions", "Where the decisions land", "Each decision adds up the probabilities of its classes. Dot: "
              f"its threshold, chosen on validation lesions, with 95% intervals ({n}).",
              charts.decisions(evaluation.roc, metrics)),
        Chart("reliability", "How honest its confidence is", "Accuracy against confidence, in bins; dots grow with the "
              f"number of pictures ({n}). On the dashed line, of 100 answers given with 80% confidence 80 are right.",
              charts.reliability(evaluation.reliability)),
    ]  # fmt: skip
    sliced = {
        "balanced_accuracy": "balanced accuracy",
        "any_malignant_sensitivity": "sensitivity to any malignant class",
    }
    for name, label in sliced.items() if evaluation.slices else ():
        if name in metrics:
            caption = (
                f"Dot: the group's value, with its 95% interval; shaded: all pictures ({n}). Groups of fewer than "
                f"{SMALLEST_SLICE} pictures are not shown."
            )
            figure = charts.slices(evaluation.slices, name, metrics[name], label)
            drawn.append(Chart(f"slices-{name.replace('_', '-')}", f"By group: {label}", caption, figure))
    if evaluation.strangeness and subject.unfamiliar_threshold is not None:
        scores = dict(evaluation.strangeness)
        of_lesions = scores.pop("lesions")
        caption = (
            f"How unlike the training pictures each is (n = {len(of_lesions):,} pictures of lesions, "
            f"{sum(map(len, scores.values())):,} others). Right of the dashed line, a picture is called unfamiliar."
        )
        figure = charts.unfamiliarity(of_lesions, scores, subject.unfamiliar_threshold)
        drawn.append(Chart("unfamiliar", "Pictures that show no lesion", caption, figure))
    if subject.epochs:
        drawn.append(Chart("learning", "How it learned", f"Loss (in training: weighted by class) and balanced accuracy "
                     f"over the epochs (n = {len(subject.epochs)}).", charts.learning(subject.epochs)))  # fmt: skip
    if mistakes:
        drawn.append(Chart("mistakes", "The most confident mistakes", f"n = {len(mistakes)}, one for each lesion.",
                     contact_sheet(mistakes)))  # fmt: skip
    return drawn


def _areas(per_class: Mapping[str, Group], name: str) -> dict[str, Metric]:
    return {code: group.metrics[name] for code, group in per_class.items() if name in group.metrics}


def _decisions(evaluation: Evaluation, subject: Subject) -> list[dict[str, Any]]:
    return [
        {
            "name": readable(name),
            "classes": ", ".join(OPERATING_POINTS[name]),
            "point": point,
            **{
                measured: evaluation.metrics.get(f"{name}_{measured}")
                for measured in ("sensitivity", "specificity", "ppv", "npv", "auroc")
            },
        }
        for name, point in subject.operating_points.items()
        if name in OPERATING_POINTS
    ]


def _calibration(metrics: Mapping[str, Metric]) -> list[tuple[str, Metric | None, Metric | None]]:
    names = {"ece": "Calibration error (ECE)", "nll": "Negative log-likelihood"}
    return [(words, metrics.get(f"{name}_before_temperature"), metrics.get(name)) for name, words in names.items()]


def _dumped(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    return {name: metric.model_dump() for name, metric in metrics.items()}
