"""The page's text for codes and numbers from the API, in plain language."""

from dataclasses import dataclass, replace
from typing import Final

from contract.api import HEADLINE_METRICS, Metric, Outcome, Prediction
from contract.labels import BY_CODE, MALIGNANT_CODES


@dataclass(frozen=True, kw_only=True)
class OutcomeText:
    """The text of an outcome for the person who sent the picture."""

    title: str
    meaning: str
    advice: str
    reliable: bool  # whether the probabilities can be relied on


OUTCOMES: Final[dict[Outcome, OutcomeText]] = {
    "see_a_doctor": OutcomeText(
        title="Please show this to a doctor",
        meaning="The model sees signs of skin cancer, or of a lesion that can become skin cancer.",
        advice="This is not a diagnosis: many lesions like this turn out to be harmless. Let a dermatologist look at "
        "it in the next few days, or sooner if it grows, bleeds or changes.",
        reliable=True,
    ),
    "low_risk": OutcomeText(
        title="No sign of skin cancer stood out",
        meaning="To the model, this looks like one of the harmless kinds of lesion.",
        advice="The model can be wrong. Show the lesion to a doctor if it changes in size, shape or colour, if it "
        "itches or bleeds, or if it worries you.",
        reliable=True,
    ),
    "inconclusive": OutcomeText(
        title="No clear answer",
        meaning="No kind of lesion is clearly more likely than the others.",
        advice="This does not mean that the lesion is harmless. A sharper and closer picture in even light may help. "
        "If the lesion worries you, do not wait for a better picture: show it to a doctor.",
        reliable=False,
    ),
    "unfamiliar": OutcomeText(
        title="Not like the pictures that the model knows",
        meaning="The picture is too different from the pictures that the model was trained on: dermatoscopic "
        "close-ups of single lesions.",
        advice="This does not mean that the lesion is harmless: any answer about this picture would be a guess. If the "
        "lesion worries you, show it to a doctor.",
        reliable=False,
    ),
}

_POOR_PICTURE: Final = "The picture is not good enough for an answer."
_LESS_CERTAIN: Final = {  # reason -> sentence after a suspicion
    "poor": "The picture is not good, so this is less certain than usual. A better picture may change the answer, but "
    "show the lesion to a doctor in any case.",
    "unfamiliar": "The picture is not like the pictures that the model was trained on, so this is less certain than "
    "usual. If it shows a lesion on skin, show the lesion to a doctor in any case.",
}

_FORMAT_NAMES: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/heic": "HEIC",
    "image/heif": "HEIF",
}
_METRIC_NAMES: Final = {
    "auc": "AUC",
    "auroc": "AUROC",
    "ece": "calibration error",
    "nll": "NLL",
    "f1": "F1",
    "ppv": "PPV",
    "npv": "NPV",
}


def outcome_text(prediction: Prediction) -> OutcomeText:
    """Return the text of a prediction's outcome."""
    text = OUTCOMES[prediction.outcome]
    if prediction.outcome == "inconclusive" and prediction.image.quality:
        return replace(text, meaning=_POOR_PICTURE)
    if prediction.outcome == "see_a_doctor" and (prediction.unfamiliar or prediction.image.quality):
        reason = "unfamiliar" if prediction.unfamiliar else "poor"
        return replace(text, meaning=f"{text.meaning} {_LESS_CERTAIN[reason]}", reliable=False)
    return text


def percent(probability: float) -> str:
    """Format a probability in 0..1; never as 0% or 100%, because no prediction is certain."""
    if probability < 0.01:
        return "under 1%"
    if probability > 0.99:
        return "over 99%"
    return f"{100 * probability:.0f}%"


def class_name(code: str) -> str:
    """Return the name of a class, or its code if this page does not know it."""
    return BY_CODE[code].name if code in BY_CODE else code


def class_description(code: str) -> str:
    """Describe a class in one or two sentences; empty if this page does not know it."""
    return BY_CODE[code].description if code in BY_CODE else ""


def is_malignant(code: str) -> bool:
    """Return whether a class is cancer or can become cancer."""
    return code in MALIGNANT_CODES


def split_metrics(metrics: dict[str, Metric]) -> tuple[dict[str, Metric], dict[str, Metric]]:
    """Split the metrics into HEADLINE_METRICS, in that order, and all others."""
    headline: dict[str, Metric] = {name: metrics[name] for name in HEADLINE_METRICS if name in metrics}
    return headline, {name: metric for name, metric in metrics.items() if name not in headline}


def readable(name: str) -> str:
    """Turn the name of a metric or of an operating point into words."""
    words = [_METRIC_NAMES.get(word, word) for word in name.split("_")]
    return " ".join(words)[:1].upper() + " ".join(words)[1:]


def format_name(content_type: str) -> str:
    """Return the usual name of a picture format."""
    return _FORMAT_NAMES.get(content_type, content_type)


def interval(metric: Metric) -> str:
    """Format the 95% interval of a metric."""
    return f"{metric.low:.3f} to {metric.high:.3f}"


def seconds(duration_s: int) -> str:
    """Format a waiting time."""
    if duration_s < 90:
        return "1 second" if duration_s == 1 else f"{duration_s} seconds"
    return f"{round(duration_s / 60)} minutes"


def strongest_position(grid: list[list[float]]) -> str:
    """Describe where the strongest cell of an explanation is, for people who cannot see the heatmap."""
    strength, row, column = max((value, y, x) for y, values in enumerate(grid) for x, value in enumerate(values))
    if strength == 0:
        return "nowhere in particular"
    down = ("top", "", "bottom")[3 * row // len(grid)]
    across = ("left", "", "right")[3 * column // len(grid[0])]
    return f"at the {' '.join(filter(None, (down, across)))}" if down or across else "in the middle"
