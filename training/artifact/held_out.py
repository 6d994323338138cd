"""`held-out.csv` of a bundle: the predictions of the shipped file for each held-out picture, to compare models later.

The table holds no picture. Its ids are those of the data set, and ages are bands.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from contract.bundle import HELD_OUT
from contract.errors import BundleError
from contract.labels import CODES
from training.evaluation.slices import SLICED_BY, groups_of

PROBABILITIES: Final = [f"p_{code}" for code in CODES]
COLUMNS: Final = ["image_id", "lesion_id", "dx", *SLICED_BY, *PROBABILITIES]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions for held-out pictures, in the order of their ids.

    `rows` has the columns image_id, lesion_id, dx, class_index, and the group by each of SLICED_BY.
    """

    rows: pd.DataFrame
    probabilities: np.ndarray  # float32, shape (N, 7), as served


def join_predictions(rows: pd.DataFrame, probabilities: np.ndarray) -> HeldOut:
    """Join the rows of pictures with a model's predictions, sorted by id.

    Args:
        rows: with the columns of `training.data.ham10000.Dataset.rows`.
        probabilities: of these pictures, shape (N, 7).
    """
    table = rows.loc[:, ["image_id", "lesion_id", "dx", "class_index"]].assign(**groups_of(rows))
    order = np.argsort(table["image_id"].to_numpy(), kind="stable")
    return HeldOut(table.iloc[order].reset_index(drop=True), np.asarray(probabilities, np.float32)[order])


def write_held_out(folder: Path, held_out: HeldOut) -> None:
    """Write the table into a bundle; nine digits restore every float32 exactly."""
    table = held_out.rows.assign(**dict(zip(PROBABILITIES, held_out.probabilities.T, strict=True)))
    table.to_csv(folder / HELD_OUT, columns=COLUMNS, index=False, float_format="%.9g", lineterminator="\n")


def read_held_out(folder: Path) -> HeldOut | None:
    """Read the table of a bundle; None for an older bundle without it.

    Raises:
        BundleError: the table is not as `write_held_out` writes it.
    """
    path = folder / HELD_OUT
    if not path.exists():
        return None
    try:
        text = {name: str for name in COLUMNS if name not in PROBABILITIES}
        table = pd.read_csv(path, usecols=COLUMNS, dtype={**text, **dict.fromkeys(PROBABILITIES, np.float32)})
        class_index = [CODES.index(code) for code in table["dx"]]
    except (ValueError, pd.errors.ParserError) as error:
        raise BundleError(f"The model bundle's {HELD_OUT} cannot be read. Publish the model again.") from error
    rows = table.drop(columns=PROBABILITIES).assign(class_index=class_index)
    return HeldOut(rows, table[PROBABILITIES].to_numpy(np.float32))
