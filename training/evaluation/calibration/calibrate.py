"""All choices made on validation lesions, in one value: the temperature and every threshold."""

from dataclasses import dataclass

import numpy as np

from contract.api import OperatingPoint
from contract.bundle import Unfamiliar
from contract.labels import CODES
from contract.reference import Reference
from training.artifact.inference import ModelOutputs
from training.evaluation.calibration.operating_points import choose_operating_points
from training.evaluation.calibration.reference_set import FALSE_ALARM_RATE, NEIGHBOURS, choose_unfamiliar_threshold


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Everything that was chosen on validation lesions."""

    temperature: float
    operating_points: dict[str, OperatingPoint]
    neighbours: int
    unfamiliar_threshold: float
    false_alarm_rate: float  # share of validation pictures over that threshold, by choice

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the outputs; with the next it makes this `contract.outcome.DecisionRules`."""
        return CODES

    @property
    def unfamiliar(self) -> Unfamiliar:
        """The entry of the manifest about unfamiliar pictures."""
        return Unfamiliar(
            method="knn_cosine_low_rank",
            neighbours=self.neighbours,
            threshold=self.unfamiliar_threshold,
            false_alarm_rate=self.false_alarm_rate,
        )


def calibrate(temperature: float, outputs: ModelOutputs, class_index: np.ndarray, reference: Reference) -> Calibration:
    """Choose the thresholds from the outputs of the shipped model on the validation pictures.

    Args:
        temperature: the one that the model already contains.
        outputs: of the model, on the validation pictures.
        class_index: of the validation pictures.
        reference: the training embeddings of the same model.

    Raises:
        TrainingError: the validation pictures lack a class that a threshold must separate.
    """
    scores = reference.unfamiliarity(outputs.embeddings, NEIGHBOURS)
    return Calibration(
        temperature=temperature,
        operating_points=choose_operating_points(outputs.probabilities, class_index),
        neighbours=NEIGHBOURS,
        unfamiliar_threshold=choose_unfamiliar_threshold(scores),
        false_alarm_rate=FALSE_ALARM_RATE,
    )
