"""The most confident mistakes, for people to look at: often the label, the crop or a hair explains them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from contract.labels import CODES
from training.evaluation.metrics import Predictions
from training.reporting.style import CLASS_COLOURS, styled

SHOWN: Final = 24
SHOWN_PX: Final = 160  # side of a square
COLUMNS: Final = 6


@dataclass(frozen=True, eq=False)
class Mistake:
    """A picture that was classified wrongly."""

    image_id: str
    truth: str  # class code
    answered: str  # predicted class code
    confidence: float  # probability of the predicted class
    of_truth: float  # probability of the true class
    square: Image.Image  # the input of the model, scaled to SHOWN_PX on each side


def find_mistakes(
    predictions: Predictions, rows: pd.DataFrame, pixels: np.ndarray, positions: np.ndarray, count: int = SHOWN
) -> list[Mistake]:
    """Find the wrong predictions with the highest confidence, one for each lesion.

    Args:
        predictions: for the pictures.
        rows: of the pictures.
        pixels: of all pictures: RGB, uint8, shape (all, size, size, 3).
        positions: of the pictures in `pixels`.
        count: at most this many.
    """
    probabilities, truth = predictions.probabilities, rows["class_index"].to_numpy()
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    seen: set[str] = set()
    mistakes: list[Mistake] = []
    for at in wrong[np.argsort(-confidence[wrong], kind="stable")].tolist():
        lesion = rows["lesion_id"].iloc[at]
        if lesion in seen:
            continue
        seen.add(lesion)
        seen_by_model = Image.fromarray(np.asarray(pixels[positions[at]]))
        mistakes.append(
            Mistake(
                str(rows["image_id"].iloc[at]),
                CODES[truth[at]],
                CODES[predicted[at]],
                float(confidence[at]),
                float(probabilities[at, truth[at]]),
                seen_by_model.resize((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS),
            )
        )
        if len(mistakes) == count:
            break
    return mistakes


def contact_sheet(mistakes: Sequence[Mistake]) -> Figure:
    """Draw the pictures with their true and predicted classes, for print."""
    lines = -(-len(mistakes) // COLUMNS)
    with styled(1.5 * lines, 7.2) as figure:
        places = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
        for axes in places:
            axes.set_axis_off()
        for axes, mistake in zip(places, mistakes, strict=False):
            axes.imshow(np.asarray(mistake.square))
            title = f"{mistake.truth} predicted as {mistake.answered}"
            axes.set_title(title, fontsize=7.5, color=CLASS_COLOURS[mistake.truth], pad=3)
            axes.text(0.5, -0.04, f"{mistake.confidence:.0%}, {mistake.image_id}", fontsize=6, ha="center", va="top",
                      transform=axes.transAxes)  # fmt: skip
    return figure
