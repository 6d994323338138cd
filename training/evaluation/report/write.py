"""The report of an evaluation: a self-contained page, its figures as PNG, and every number as JSON."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.api import Metric, OperatingPoint
from contract.bundle import Group, Robustness
from contract.labels import BY_CODE, CODES
from training.evaluation.bootstrap import RESAMPLES
from training.evaluation.calibration.operating_points import OPERATING_POINTS
from training.evaluation.measure import Evaluation
from training.evaluation.report import charts
from training.evaluation.report.mistakes import Mistake, contact_sheet
from training.evaluation.report.words import EXPLANATIONS, SLICE_NAMES, attribution_of, readable
from training.evaluation.robustness.goals import misses_goal
from training.evaluation.robustness.names import by_group, heading_of, words_for
from training.evaluation.slices import SMALLEST_SLICE
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
    """The subject of a report: which model, on which pictures, and how the model was made."""

    model: str  # title: a version, or a description
    data: str  # name of the data set
    scope: str  # a sentence: which pictures, and whether training used any of them
    operating_points: Mapping[str, OperatingPoint | None]  # None if several models have different ones
    temperature: float | None  # None for several models
    prior_correction: float | None = None  # None for several models
    false_alarm_rate: float | None  # for which the threshold for unfamiliar pictures was chosen
    unfamiliar_threshold: float | None = None
    shipped: str = ""  # a sentence: which file serves, and why
    epochs: Sequence[Epoch] = ()
    # metric -> "fold 1", ..., "mean", "standard deviation" -> value
    folds: Mapping[str, Mapping[str, float | None]] | None = None

    @property
    def attribution(self) -> str:
        """The attribution that the licence of the pictures requires."""
        return attribution_of(self.data)


def write_report(
    folder: Path, evaluation: Evaluation, subject: Subject, mistakes: Sequence[Mistake] | None = None
) -> Path:
    """Write report.html, metrics.json and figures/ into a folder, which is made if it does not exist.

    Args:
        folder: absent or empty.
        evaluation: the results.
        subject: which model, on which pictures.
        mistakes: to show; None for the report in a bundle, which must not contain pictures of patients.

    Returns:
        the path of the page.
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
        metrics=[(readable(name), metric, EXPLANATIONS[name]) for name, metric in evaluation.metrics.items()],
        classes=[(BY_CODE[code], CLASS_COLOURS[code], group) for code, group in evaluation.per_class.items()],
        decisions=_decisions(evaluation, subject),
        calibration=_calibration(evaluation.metrics),
        slice_names=SLICE_NAMES,
        change_groups=by_group(evaluation.robustness.changes) if evaluation.robustness else {},
        heading_of=heading_of,
        words_for=words_for,
        misses_goal=misses_goal,
        smallest_slice=SMALLEST_SLICE,
        resamples=RESAMPLES,
        readable=readable,
        mistakes=[(mistake, as_data_url(mistake.square)) for mistake in mistakes or ()],
        today=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def as_numbers(evaluation: Evaluation, subject: Subject, mistakes: Sequence[Mistake] | None) -> dict[str, Any]:
    """Convert all results to values that JSON can hold."""
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
        "confusion_shares": (counts / totals).round(5).tolist(),  # each row sums to 1
        "roc": evaluation.roc,
        "precision_recall": evaluation.precision_recall,
        "reliability": evaluation.reliability,
        "slices": {
            name: {which: group.model_dump() for which, group in groups.items()}
            for name, groups in evaluation.slices.items()
        },
        "no_lesion": {
            kind: {
                "pictures": kind_result.pictures,
                **_dumped({"auroc": kind_result.auroc, "detection_rate": kind_result.detection_rate}),
            }
            for kind, kind_result in evaluation.out_of_distribution.items()
        },
        "robustness": evaluation.robustness and evaluation.robustness.model_dump(),
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
    areas, precisions = _areas(per_class, "auroc"), _areas(per_class, "average_precision")
    drawn = [
        Chart(
            "confusion",
            "Confusion matrix",
            "Number of pictures of the row's true class that were predicted as the column's class, and their share of "
            f"the row, which is the colour ({n}).",
            charts.confusion(evaluation.confusion),
        ),
        Chart(
            "classes",
            "Recall, precision and F1 of each class",
            f"With 95% intervals ({n}).",
            charts.classes(per_class),
        ),
        Chart(
            "roc",
            "ROC curves, each class against the rest",
            f"The legend has the area under each curve ({n}).",
            charts.curves(evaluation.roc, areas, kind="roc"),
        ),
        Chart(
            "precision-recall",
            "Precision and recall, each class against the rest",
            f"The legend has the average precision of each class ({n}). A random score would reach the class's share "
            "of the pictures.",
            charts.curves(evaluation.precision_recall, precisions, kind="pr"),
        ),
        Chart(
            "decisions",
            "ROC curves of the decisions",
            "Each decision adds up the probabilities of its classes. The dot is its threshold, chosen on validation "
            f"lesions, with 95% intervals ({n}).",
            charts.decisions(evaluation.roc, metrics),
        ),
        Chart(
            "reliability",
            "Reliability diagram",
            f"Accuracy against confidence, in bins; larger dots have more pictures ({n}). On the dashed line, 80 of "
            "100 predictions with a confidence of 80% are correct.",
            charts.reliability(evaluation.reliability),
        ),
    ]
    drawn += _draw_slices(evaluation, n)
    if evaluation.robustness is not None:
        drawn.append(_draw_robustness(evaluation.robustness))
    if evaluation.unfamiliarity and subject.unfamiliar_threshold is not None:
        drawn.append(_draw_unfamiliarity(evaluation.unfamiliarity, subject.unfamiliar_threshold))
    if subject.epochs:
        epochs = f"n = {len(subject.epochs)} epochs"
        caption = f"Loss (in training: weighted by class) and balanced accuracy after each epoch ({epochs})."
        drawn.append(Chart("learning", "Learning curves", caption, charts.learning(subject.epochs)))
    if mistakes:
        caption = f"n = {len(mistakes)}, one for each lesion."
        drawn.append(Chart("mistakes", "The most confident mistakes", caption, contact_sheet(mistakes)))
    return drawn


def _draw_slices(evaluation: Evaluation, n: str) -> list[Chart]:
    labels = {
        "balanced_accuracy": "balanced accuracy",
        "any_malignant_sensitivity": "sensitivity to any malignant class",
    }
    caption = (
        f"Dot: value of the group, with its 95% interval; shaded: all pictures ({n}). Groups of fewer than "
        f"{SMALLEST_SLICE} pictures are not shown."
    )
    return [
        Chart(
            f"slices-{name.replace('_', '-')}",
            f"By group: {label}",
            caption,
            charts.slices(evaluation.slices, name, evaluation.metrics[name], label),
        )
        for name, label in labels.items()
        if evaluation.slices and name in evaluation.metrics
    ]


def _draw_robustness(robustness: Robustness) -> Chart:
    caption = (
        "Answers to malignant pictures after each change; before it, all have the outcome see_a_doctor "
        f"(n = {robustness.pictures:,} pictures of {robustness.lesions:,} lesions). The line is the 95% interval of "
        "the share with low risk."
    )
    return Chart("robustness", "Answers to changed pictures", caption, charts.robustness(robustness.changes))


def _draw_unfamiliarity(unfamiliarity: Mapping[str, np.ndarray], threshold: float) -> Chart:
    scores = dict(unfamiliarity)
    lesions = scores.pop("lesions")
    caption = (
        f"Distance from the training pictures (n = {len(lesions):,} pictures of lesions, "
        f"{sum(map(len, scores.values())):,} others). To the right of the dashed line a picture is unfamiliar."
    )
    figure = charts.unfamiliarity(lesions, scores, threshold)
    return Chart("unfamiliar", "Pictures that show no lesion", caption, figure)


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
