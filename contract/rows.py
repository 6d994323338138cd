"""One picture's answer as a row of a table: what `lesion predict --out` and a batch write."""

from typing import Any, Final

from contract.api import Prediction, Problem
from contract.labels import CODES

PROBABILITY_COLUMNS: Final = {code: f"p_{code}" for code in CODES}
COLUMNS: Final = (
    "picture",  # as the caller knows it: a path below the folder, or a key in the bucket
    "outcome",
    "leading_class",
    "malignant_probability",
    *PROBABILITY_COLUMNS.values(),
    "width",
    "height",
    "quality",  # the codes of the findings, parted by spaces
    "model_version",
    "error",  # a code; where there is one, all columns but the picture and the detail are empty
    "detail",  # the error's sentence
)


def row_of(picture: str, answer: Prediction | Problem) -> dict[str, Any]:
    """Lay out an answer, or the problem in its place, under COLUMNS."""
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
        "model_version": answer.model_version,
    }
