"""The result for one picture as a table row, for `lesion predict --out` and for batches."""

from typing import Any, Final

from contract.api import Prediction, Problem
from contract.labels import CODES

PROBABILITY_COLUMNS: Final = {code: f"p_{code}" for code in CODES}
COLUMNS: Final = (
    "picture",  # a path below the folder, or a key in the bucket; unchanged: each format of a table escapes it itself
    "outcome",
    "leading_class",
    "malignant_probability",
    *PROBABILITY_COLUMNS.values(),
    "width",
    "height",
    "quality",  # codes of the findings, separated by spaces
    "unfamiliar",  # whether the picture is unlike the training pictures
    "model_version",
    "error",  # a code; with an error, all columns except picture and detail are empty
    "detail",  # the message of the error
)


def row_of(picture: str, answer: Prediction | Problem) -> dict[str, Any]:
    """Return the values of COLUMNS for a prediction or a problem."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    if isinstance(answer, Problem):
        return row | {"picture": picture, "error": answer.code, "detail": answer.detail}
    return row | {
        "picture": picture,
        "outcome": answer.outcome,
        "leading_class": answer.classes[0].code,
        "malignant_probability": answer.malignant_probability,
        **{PROBABILITY_COLUMNS[item.code]: item.probability for item in answer.classes},
        "width": answer.image.width,
        "height": answer.image.height,
        "quality": " ".join(finding.code for finding in answer.image.quality),
        "unfamiliar": answer.unfamiliar,
        "model_version": answer.model_version,
    }
