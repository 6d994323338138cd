"""What the model is worth on lesions that it never saw: metrics with intervals, and where it differs between people.

Lesions are very unequally common (two thirds are nevi), so accuracy says little, and balanced accuracy leads. The
intervals come from a bootstrap over lesions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from contract.api import Metric
from contract.bundle import ANY_MALIGNANT, Group
from contract.labels import CODES
from training.evaluation.bootstrap import RESAMPLES, Measure, all_or_none, resample_lesions, with_interval
from training.evaluation.calibrate import OPERATING_POINTS, score, shows
from training.evaluation.curves import Curve, precision_recall_curve, reliability, roc_curve
from training.evaluation.unfamiliar import PAINTED, Strangers, Told, tell_strangers
from training.evaluation.weighted_metrics import (
    Share,
    average_precisions,
    balanced_accuracies,
    calibration_errors,
    confusion_matrices,
    f1_scores,
    macro_f1,
    mean_over_classes,
    means,
    roc_areas,
    weighted_f1,
)

HEADLINE: Final = (
    "balanced_accuracy",
    f"{ANY_MALIGNANT}_sensitivity",
    f"{ANY_MALIGNANT}_specificity",
    "melanoma_sensitivity",
)
OF_A_SLICE: Final = (*HEADLINE, f"{ANY_MALIGNANT}_auroc")
CENTRED: Final = ("ece", "ece_before_temperature")  # means of absolute gaps
AGE_BANDS: Final = ((0, 40), (40, 60), (60, 200))  # years, upper end excluded
SLICED_BY: Final = {"age": "age", "sex": "sex", "site": "localization", "confirmed_by": "dx_type"}  # -> the column
SMALLEST_SLICE: Final = 20  # pictures; below it a share says nothing


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What a model says of labelled pictures, all by thresholds that were chosen elsewhere."""

    probabilities: np.ndarray  # shape (N, 7)
    before_temperature: np.ndarray  # the same without the temperature
    over: Mapping[str, np.ndarray]  # operating point -> which pictures are over its threshold: bool, shape (N,)
    unfamiliarity: np.ndarray | None = None  # score of each picture, shape (N,)
    unfamiliar: np.ndarray | None = None  # whether it is over the threshold


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out on held-out lesions."""

    pictures: int
    lesions: int
    metrics: dict[str, Metric]  # those that these pictures allow: no melanoma, no sensitivity to melanoma
    per_class: dict[str, Group]  # one class against the rest
    confusion: np.ndarray  # int, shape (7, 7): pictures of row's class that were taken for column's
    roc: dict[str, Curve]  # of each class and each operating point's classes: false against true positives
    precision_recall: dict[str, Curve]  # likewise: recall against precision
    reliability: dict[str, list[dict[str, float]]]  # "before" and "after" the temperature -> each filled bin
    slices: dict[str, dict[str, Group]]  # by what -> which
    strangers: dict[str, Told] = field(default_factory=dict)  # kind of picture that shows no lesion -> how it was told
    strangeness: dict[str, np.ndarray] = field(default_factory=dict)  # "lesions" and each kind -> unfamiliarity scores
    left_out: tuple[str, ...] = ()  # what could not be measured, and why


def evaluate(
    verdicts: Verdicts,
    rows: pd.DataFrame,
    seed: int,
    *,
    strangers: Mapping[str, Strangers] | None = None,
    absent: Sequence[str] = (),
) -> Evaluation:
    """Measure everything on held-out pictures.

    Args:
        verdicts: on the pictures.
        rows: of the pictures, with the columns of `training.data.ham10000.Dataset.rows`.
        seed: of the bootstrap.
        strangers: what the model says of pictures that show no lesion, by kind.
        absent: columns that the table does not have, so that nothing is sliced by them.
    """
    truth = rows["class_index"].to_numpy()
    lesion_id = rows["lesion_id"].to_numpy()
    weights = resample_lesions(lesion_id, RESAMPLES, seed)
    measures = measures_of(verdicts, truth)
    found = _intervals(measures, weights, lesion_id)
    per_class = {
        code: Group(
            **_size(rows[truth == index]),
            metrics=_intervals(measures_of_class(index, verdicts, truth), weights, lesion_id),
        )
        for index, code in enumerate(CODES)
        if (truth == index).any()
    }
    told: dict[str, Told] = {}
    strangeness: dict[str, np.ndarray] = {}
    if strangers and verdicts.unfamiliarity is not None:
        strangeness = {
            "lesions": verdicts.unfamiliarity,
            **{kind: of.unfamiliarity for kind, of in strangers.items()},
        }
        told = tell_strangers(verdicts.unfamiliarity, lesion_id, strangers, seed)
        found |= {"unfamiliar_auroc": told[PAINTED].auroc, "unfamiliar_detection_rate": told[PAINTED].detection_rate}
    last = ("always_nevus_accuracy", "accuracy")  # so that neither is taken for the headline
    named = {**OPERATING_POINTS, **{code: (code,) for code in CODES}}
    asked = {name: (score(verdicts.probabilities, codes), shows(truth, codes)) for name, codes in named.items()}
    return Evaluation(
        **_size(rows),
        metrics={name: found[name] for name in (*(name for name in found if name not in last), *last) if name in found},
        per_class=per_class,
        confusion=confusion_matrices(verdicts.probabilities.argmax(axis=1), truth, np.ones((1, len(truth))))[0].astype(
            int
        ),
        roc={name: roc_curve(*of) for name, of in asked.items() if 0 < of[1].sum() < len(truth)},
        precision_recall={name: precision_recall_curve(*of) for name, of in asked.items() if of[1].any()},
        reliability={
            "before": reliability(verdicts.before_temperature, truth),
            "after": reliability(verdicts.probabilities, truth),
        },
        slices={
            name: _slice(by, {of: measures[of] for of in OF_A_SLICE if of in measures}, weights, rows)
            for name, by in groups_of(rows).items()
            if SLICED_BY[name] not in absent
        },
        strangers=told,
        strangeness=strangeness,
        left_out=_left_out(found, measures, per_class, absent),
    )


def measure_once(verdicts: Verdicts, truth: np.ndarray) -> dict[str, float]:
    """Measure every metric without an interval; NaN for what cannot be measured.

    Args:
        verdicts: on some pictures.
        truth: the class index of each.
    """
    as_they_are = np.ones((1, len(truth)))
    return {name: float(measure(as_they_are)[0]) for name, measure in measures_of(verdicts, truth).items()}


def balanced_accuracy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Average the classes' recalls; a class without pictures is left out."""
    return float(balanced_accuracies(confusion_matrices(predicted, truth, np.ones((1, len(truth)))))[0])


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Measure how far confidence is from accuracy, on average (Naeini et al., AAAI 2015), in equal bins."""
    return float(calibration_errors(probabilities, truth, np.ones((1, len(truth))))[0])


def measures_of(verdicts: Verdicts, truth: np.ndarray) -> dict[str, Measure]:
    """Name everything that is measured; each takes weights of the pictures."""
    probabilities, before = verdicts.probabilities, verdicts.before_temperature
    predicted = probabilities.argmax(axis=1)
    everyone = np.ones(len(truth), bool)
    measures: dict[str, Measure] = {"balanced_accuracy": lambda of: balanced_accuracies(confusion(of))}

    def confusion(weights: np.ndarray) -> np.ndarray:
        return confusion_matrices(predicted, truth, weights)

    def over_classes(measure: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Measure:
        each = [(probabilities[:, index], truth == index) for index in range(len(CODES))]
        return lambda of: mean_over_classes(np.stack([measure(*one, of) for one in each], axis=1))

    for name, codes in OPERATING_POINTS.items():
        measures |= _decision(name, score(probabilities, codes), verdicts.over.get(name), shows(truth, codes))
    if ANY_MALIGNANT in verdicts.over:
        melanoma = shows(truth, ("mel",))
        measures[f"{ANY_MALIGNANT}_melanoma_sensitivity"] = Share(verdicts.over[ANY_MALIGNANT], melanoma)
    measures |= {
        "macro_f1": lambda of: macro_f1(confusion(of)),
        "weighted_f1": lambda of: weighted_f1(confusion(of)),
        "macro_auroc": over_classes(roc_areas),
        "macro_average_precision": over_classes(average_precisions),
        "ece": lambda of: calibration_errors(probabilities, truth, of),
        "ece_before_temperature": lambda of: calibration_errors(before, truth, of),
        "nll": lambda of: means(_log_losses(probabilities, truth), of),
        "nll_before_temperature": lambda of: means(_log_losses(before, truth), of),
        "brier": lambda of: means(_brier_scores(probabilities, truth), of),
    }
    if verdicts.unfamiliar is not None:
        measures["unfamiliar_rate"] = Share(verdicts.unfamiliar, everyone)
    measures["always_nevus_accuracy"] = Share(truth == CODES.index("nv"), everyone)
    measures["accuracy"] = Share(predicted == truth, everyone)
    return measures


def _decision(name: str, scores: np.ndarray, over: np.ndarray | None, positive: np.ndarray) -> dict[str, Measure]:
    """Measure one operating point; how often each value is right (PPV, NPV) holds for the mix of these pictures."""
    if over is None:
        return {f"{name}_auroc": lambda of: roc_areas(scores, positive, of)}
    return {
        f"{name}_sensitivity": Share(over, positive),
        f"{name}_specificity": Share(~over, ~positive),
        f"{name}_ppv": Share(positive, over),
        f"{name}_npv": Share(~positive, ~over),
        f"{name}_auroc": lambda of: roc_areas(scores, positive, of),
    }


def measures_of_class(index: int, verdicts: Verdicts, truth: np.ndarray) -> dict[str, Measure]:
    """Name what is measured of one class against the rest."""
    scores, positive = verdicts.probabilities[:, index], truth == index
    predicted = verdicts.probabilities.argmax(axis=1)
    return {
        "precision": Share(positive, predicted == index),
        "recall": Share(predicted == index, positive),
        "f1": lambda of: f1_scores(confusion_matrices(predicted, truth, of))[:, index],
        "auroc": lambda of: roc_areas(scores, positive, of),
        "average_precision": lambda of: average_precisions(scores, positive, of),
    }


def _log_losses(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    of_truth = probabilities[np.arange(len(truth)), truth].astype(float)
    return np.asarray(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)))


def _brier_scores(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Square and add up the errors of the seven probabilities, 0 to 2 (Brier, Monthly Weather Review 78, 1950)."""
    return np.asarray(((probabilities - np.eye(len(CODES))[truth]) ** 2).sum(axis=1))


def _intervals(measures: Mapping[str, Measure], weights: np.ndarray, lesion_id: np.ndarray) -> dict[str, Metric]:
    found = {name: with_interval(measure, weights, centred=name in CENTRED) for name, measure in measures.items()}
    for name, measure in measures.items():
        metric = found[name]
        if isinstance(measure, Share) and metric is not None and metric.low == metric.high and metric.value in (0, 1):
            found[name] = all_or_none(metric.value, len(np.unique(lesion_id[measure.among])))
    return {name: metric for name, metric in found.items() if metric is not None}


def _slice(by: pd.Series, measures: Mapping[str, Measure], weights: np.ndarray, rows: pd.DataFrame) -> dict[str, Group]:
    """Measure each group of at least SMALLEST_SLICE pictures on its own."""
    slices = {}
    for which in sorted(by.unique()):
        among = (by == which).to_numpy()
        if among.sum() >= SMALLEST_SLICE:
            of_group = {name: within(measure, among) for name, measure in measures.items()}
            slices[str(which)] = Group(
                **_size(rows[among]), metrics=_intervals(of_group, weights, rows["lesion_id"].to_numpy())
            )
    return slices


def within(measure: Measure, among: np.ndarray) -> Measure:
    """Measure on a part of the pictures, by giving the others no weight."""
    if isinstance(measure, Share):
        return measure.within(among)
    return lambda weights: measure(weights * among)


def groups_of(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Tell in which group each picture is: by what ("age" in bands) -> a label for each row."""
    ages = pd.Series("unknown", index=rows.index, dtype=object)
    for low, high in AGE_BANDS:
        ages[rows["age"].between(low, high, inclusive="left")] = (
            f"{low} to {high - 1}" if high < 200 else f"{low} and over"
        )
    return {name: ages if column == "age" else rows[column] for name, column in SLICED_BY.items()}


def _size(rows: pd.DataFrame) -> dict[str, int]:
    return {"pictures": len(rows), "lesions": int(rows["lesion_id"].nunique())}


def _left_out(
    found: Mapping[str, Metric], measures: Mapping[str, Measure], per_class: Mapping[str, Group], absent: Sequence[str]
) -> tuple[str, ...]:
    """Say in sentences what these pictures could not show."""
    sentences = []
    if missing := [code for code in CODES if code not in per_class]:
        sentences.append(f"There are no pictures of {', '.join(missing)}: averages are over the other classes.")
    if impossible := [name for name in measures if name not in found]:
        sentences.append(f"These pictures do not allow to measure {', '.join(impossible)}.")
    if columns := [column for column in SLICED_BY.values() if column in absent]:
        sentences.append(f"The table has no {', '.join(columns)}: nothing is sliced by that.")
    return tuple(sentences)
