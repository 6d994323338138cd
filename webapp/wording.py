"""How the page says in plain language what the API answered in codes and numbers."""

from dataclasses import dataclass, replace
from typing import Final

from contract.api import HEADLINE_METRICS, Metric, Outcome, Prediction
from contract.labels import BY_CODE, MALIGNANT_CODES


@dataclass(frozen=True, kw_only=True)
class OutcomeText:
    """What an outcome means to the person who sent the picture."""

    title: str
    meaning: str
    advice: str
    reliable: bool  # whether the probabilities below it say anything


OUTCOMES: Final[dict[Outcome, OutcomeText]] = {
    "see_a_doctor": OutcomeText(
        title="Please show this to a doctor",
        meaning="The model sees signs that it also sees in skin cancer or in what can become one.",
        advice="That is no diagnosis: many lesions like this turn out to be harmless. Let a dermatologist look at it "
        "in the next days, and sooner if it grows, bleeds or changes.",
        reliable=True,
    ),
    "low_risk": OutcomeText(
        title="No sign of skin cancer stood out",
        meaning="What the model sees looks to it like one of the harmless kinds.",
        advice="It can be wrong. Show the lesion to a doctor anyway if it changes in size, shape or colour, if it "
        "itches or bleeds, or if it worries you.",
        reliable=True,
    ),
    "inconclusive": OutcomeText(
        title="No clear answer",
        meaning="No kind of lesion stands out from the others.",
        advice="A sharper, closer picture in even light may help. If the lesion worries you, do not wait for a better "
        "picture: show it to a doctor.",
        reliable=False,
    ),
    "unfamiliar": OutcomeText(
        title="Unlike anything the model has seen",
        meaning="The picture differs too much from those that the model learned from: dermatoscopic close-ups of "
        "single lesions.",
        advice="Whatever it would say about this picture would be a guess. If the lesion worries you, show it to a "
        "doctor.",
        reliable=False,
    ),
}

_POOR_PICTURE: Final = "The picture is not good enough to be judged."

_FORMAT_NAMES: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WebP"}
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
    """Say what a prediction comes to."""
    text = OUTCOMES[prediction.outcome]
    if prediction.outcome == "inconclusive" and prediction.image.quality:
        return replace(text, meaning=_POOR_PICTURE)
    return text


def percent(probability: float) -> str:
    """Write a probability in 0..1 as people read it; never as certain as 0 or 100%."""
    if probability < 0.01:
        return "under 1%"
    if probability > 0.99:
        return "over 99%"
    return f"{100 * probability:.0f}%"


def class_name(code: str) -> str:
    """Name a class, or give its code if this page does not know it."""
    return BY_CODE[code].name if code in BY_CODE else code


def class_description(code: str) -> str:
    """Tell what a class is, in a sentence or two; empty if this page does not know it."""
    return BY_CODE[code].description if code in BY_CODE else ""


def is_malignant(code: str) -> bool:
    """Tell whether a class is cancer or can become one."""
    return code in MALIGNANT_CODES


def split_metrics(metrics: dict[str, Metric]) -> tuple[dict[str, Metric], dict[str, Metric]]:
    """Part the measures that say how good a model is, in their order, from those that experts look up."""
    headline: dict[str, Metric] = {name: metrics[name] for name in HEADLINE_METRICS if name in metrics}
    return headline, {name: metric for name, metric in metrics.items() if name not in headline}


def readable(name: str) -> str:
    """Turn the name of a metric or an operating point into words."""
    words = [_METRIC_NAMES.get(word, word) for word in name.split("_")]
    return " ".join(words)[:1].upper() + " ".join(words)[1:]


def format_name(content_type: str) -> str:
    """Name a picture format as people do."""
    return _FORMAT_NAMES.get(content_type, content_type)


def interval(metric: Metric) -> str:
    """Write a metric's 95% interval."""
    return f"{metric.low:.3f} to {metric.high:.3f}"


def seconds(duration_s: int) -> str:
    """Write how long to wait."""
    if duration_s < 90:
        return "1 second" if duration_s == 1 else f"{duration_s} seconds"
    return f"{round(duration_s / 60)} minutes"


def place_of_most(grid: list[list[float]]) -> str:
    """Say in words where an explanation's strongest cell lies, for those who do not see it."""
    strength, row, column = max((value, y, x) for y, values in enumerate(grid) for x, value in enumerate(values))
    if strength == 0:
        return "nowhere in particular"
    down = ("top", "", "bottom")[3 * row // len(grid)]
    across = ("left", "", "right")[3 * column // len(grid[0])]
    return f"at the {' '.join(filter(None, (down, across)))}" if down or across else "in the middle"
