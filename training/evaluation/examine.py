"""Put the file that serves to the test: ask it about held-out pictures, and about pictures that show no lesion."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from contract.reference import Reference
from training.artifact.answers import Answers, ask
from training.evaluation.calibrate import Calibration, decide, without_temperature
from training.evaluation.measure import Evaluation, Verdicts, evaluate
from training.evaluation.not_lesions import paint_not_lesions
from training.evaluation.unfamiliar import Strangers
from training.fitting.batches import Pictures
from training.progress import OnProgress


def examine(
    model: Path,
    pictures: Pictures,
    rows: pd.DataFrame,
    calibration: Calibration,
    reference: Reference,
    *,
    seed: int,
    on_progress: OnProgress,
    others: Mapping[str, Answers] | None = None,
    absent: Sequence[str] = (),
) -> tuple[Evaluation, Verdicts]:
    """Evaluate an ONNX file on pictures that neither it nor its thresholds have seen.

    Args:
        model: the file.
        pictures: to ask it about.
        rows: of these pictures, with the columns of `training.data.ham10000.Dataset.rows`.
        calibration: every threshold, and the temperature that is in the file.
        reference: what the training pictures look like to it.
        seed: of the bootstrap and of the painted pictures.
        on_progress: called as ("evaluating", done, of how many) and for the painted pictures.
        others: what the model says of further pictures that show no lesion, by kind.
        absent: columns that the table does not have.
    """
    answers = ask(model, pictures, "evaluating", on_progress)
    painted = paint_not_lesions(pictures.pixels.shape[1], seed)
    kinds = {kind: ask_about(model, pixels) for kind, pixels in painted.items()}
    on_progress("asking about painted pictures", len(painted), len(painted))

    def strangeness(of: Answers) -> Strangers:
        scores = reference.unfamiliarity(of.embeddings, calibration.neighbours)
        return Strangers(scores, scores > calibration.unfamiliar_threshold)

    of_lesions = strangeness(answers)
    verdicts = Verdicts(
        probabilities=answers.probabilities,
        before_temperature=without_temperature(answers.probabilities, calibration.temperature),
        over=decide(answers.probabilities, calibration.operating_points),
        unfamiliarity=of_lesions.unfamiliarity,
        unfamiliar=of_lesions.unfamiliar,
    )
    strangers = {kind: strangeness(of) for kind, of in (kinds | dict(others or {})).items()}
    return evaluate(verdicts, rows, seed, strangers=strangers, absent=absent), verdicts


def ask_about(model: Path, pixels: np.ndarray) -> Answers:
    """Ask a model about pixels that carry no labels: uint8, shape (N, size, size, 3)."""
    pictures = Pictures(pixels, np.arange(len(pixels)), np.zeros(len(pixels), int))
    return ask(model, pictures, "", lambda *_: None)
