"""Answer files as the function does: decode, check the quality, run the ONNX file, choose the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from contract.bundle import INPUT_NAME, OUTPUT_NAMES
from contract.image import decode_image
from contract.onnx_runtime import open_session
from contract.outcome import DecisionRules, decide, malignant_probability, rank_classes
from contract.quality import Finding, assess
from contract.reference import Reference

BATCH: Final = 64  # pictures in one run of the model


class Opened(NamedTuple):
    """A file that was decoded and checked."""

    pixels: np.ndarray  # RGB: uint8, shape (size, size, 3)
    findings: Sequence[Finding]


def open_as_served(encoded: bytes, size: int) -> Opened:
    """Decode a file and check its quality, as `functions/classify/answer.py` does.

    Raises:
        AnalyzerError: the file cannot be answered.
    """
    decoded = decode_image(encoded, size)
    return Opened(decoded.pixels, assess(decoded))


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to N files, each in an array of shape (N,)."""

    low_risk: np.ndarray  # bool: the outcome low_risk
    noticed: np.ndarray  # bool: the outcome unfamiliar or inconclusive
    see_a_doctor: np.ndarray  # bool: the outcome see_a_doctor
    malignant: np.ndarray  # float: probability of all malignant classes
    leading: np.ndarray  # int: the likeliest class

    def __getitem__(self, which: np.ndarray | slice) -> "Answers":
        return Answers(*(values[which] for values in vars(self).values()))


def join(parts: Sequence[Answers]) -> Answers:
    """Join answers in their order."""
    return Answers(*(np.concatenate(values) for values in zip(*(vars(part).values() for part in parts), strict=True)))


class ServedModel:
    """A model that answers as it does in the function."""

    def __init__(self, file: Path, size: int, reference: Reference, rules: DecisionRules) -> None:
        """Open an ONNX file.

        Args:
            file: the ONNX file that serves.
            size: of its input, in pixels.
            reference: the training embeddings of this model.
            rules: its thresholds, such as its manifest.
        """
        self.size = size
        self._reference, self._rules = reference, rules
        self._session = open_session(file)

    def answer(self, opened: Sequence[Opened]) -> Answers:
        """Answer files that were opened, in their order."""
        return join([self._answer_batch(opened[start : start + BATCH]) for start in range(0, len(opened), BATCH)])

    def _answer_batch(self, opened: Sequence[Opened]) -> Answers:
        pixels = np.stack([one.pixels for one in opened])
        names = [OUTPUT_NAMES[0], OUTPUT_NAMES[2]]
        probabilities, embeddings = self._session.run(names, {INPUT_NAME: pixels})
        scores = self._reference.unfamiliarity(embeddings, self._rules.unfamiliar.neighbours)
        malignant = [malignant_probability(row, self._rules) for row in probabilities]
        outcomes = [
            decide(
                rank_classes(row, self._rules.labels),
                malignant=share,
                unfamiliar_score=float(score),
                findings=one.findings,
                manifest=self._rules,
            )
            for row, share, score, one in zip(probabilities, malignant, scores, opened, strict=True)
        ]
        low_risk = np.array([outcome == "low_risk" for outcome in outcomes])
        see_a_doctor = np.array([outcome == "see_a_doctor" for outcome in outcomes])
        return Answers(
            low_risk=low_risk,
            noticed=~(low_risk | see_a_doctor),
            see_a_doctor=see_a_doctor,
            malignant=np.array(malignant),
            leading=probabilities.argmax(axis=1),
        )
