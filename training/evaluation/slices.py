"""Groups of pictures that are also measured separately: by age, sex, site, and how the diagnosis was confirmed."""

from typing import Final

import pandas as pd

AGE_BANDS: Final = ((0, 40), (40, 60), (60, 200))  # years, upper end excluded
SLICED_BY: Final = {"age": "age", "sex": "sex", "site": "localization", "confirmed_by": "dx_type"}  # -> the column
SMALLEST_SLICE: Final = 20  # pictures; a proportion of fewer is too uncertain


def groups_of(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the group of each picture: for each name of SLICED_BY, a label for each row (ages in bands)."""
    ages = pd.Series("unknown", index=rows.index, dtype=object)
    for low, high in AGE_BANDS:
        ages[rows["age"].between(low, high, inclusive="left")] = (
            f"{low} to {high - 1}" if high < 200 else f"{low} and over"
        )
    return {name: ages if column == "age" else rows[column] for name, column in SLICED_BY.items()}
