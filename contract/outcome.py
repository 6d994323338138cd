"""From the output of the model to the outcome for a person; docs/decisions/outcomes.md has the reasons."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from contract.api import ClassProbability, OperatingPoint, Outcome
from contract.bundle import ANY_MALIGNANT, Unfamiliar
from contract.labels import BY_CODE
from contract.quality import Finding

MIN_LEADING_PROBABILITY = 0.4  # below it no class is clearly likelier than the others


class DecisionRules(Protocol):
    """The part of a manifest that decides. In training these facts exist before the manifest."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class codes, in the order of the outputs."""

    @property
    def operating_points(self) -> Mapping[str, OperatingPoint]:
        """The thresholds of decisions, among them ANY_MALIGNANT."""

    @property
    def unfamiliar(self) -> Unfamiliar:
        """The threshold for pictures unlike the training pictures."""


def rank_classes(probabilities: np.ndarray, labels: Sequence[str]) -> list[ClassProbability]:
    """List the classes, likeliest first.

    Args:
        probabilities: float32 (7,), in the order of `labels`.
        labels: class codes.
    """
    return [
        ClassProbability(
            code=labels[index],
            name=BY_CODE[labels[index]].name,
            malignant=BY_CODE[labels[index]].malignant,
            probability=round(float(probabilities[index]), 6),
        )
        for index in np.argsort(-probabilities, kind="stable")
    ]


def malignant_probability(probabilities: np.ndarray, manifest: DecisionRules) -> float:
    """Add up the probabilities of the classes of the any-malignant operating point."""
    counted = manifest.operating_points[ANY_MALIGNANT].classes
    share = sum(float(probabilities[manifest.labels.index(code)]) for code in counted)
    return round(min(share, 1.0), 6)


def is_unfamiliar(score: float, manifest: DecisionRules) -> bool:
    """Return whether a picture is unlike the training pictures, by its score from `contract.reference`."""
    return score > manifest.unfamiliar.threshold


def decide(
    classes: Sequence[ClassProbability],
    *,
    malignant: float,
    unfamiliar_score: float,
    findings: Sequence[Finding],
    manifest: DecisionRules,
) -> Outcome:
    """Choose the one outcome.

    see_a_doctor comes first. A poor or unfamiliar picture must not read as harmless if the model suspects a malignant
    lesion. And the malignant classes together can reach the threshold although no single class is likely.
    """
    if malignant >= manifest.operating_points[ANY_MALIGNANT].threshold:
        return "see_a_doctor"
    if is_unfamiliar(unfamiliar_score, manifest):
        return "unfamiliar"
    if findings or classes[0].probability < MIN_LEADING_PROBABILITY:
        return "inconclusive"
    return "low_risk"
