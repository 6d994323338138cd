"""Clean the metadata table by fixed rules, and report every change.

`docs/data.md` gives the reason for each rule. Problems that no rule can solve (an unknown diagnosis, two diagnoses of
one lesion, a missing picture) are not cleaned: `training.data.ham10000` refuses them.
"""

import math
from typing import Final

import pandas as pd
from pydantic import BaseModel, ConfigDict

UNKNOWN: Final = "unknown"  # the published table's word for a sex or a site that was not recorded
SEXES: Final = ("female", "male", UNKNOWN)
MAX_AGE: Final = 120  # years
CATEGORICAL: Final = ("dx", "dx_type", "sex", "localization")  # columns with a fixed list of values
MAY_BE_UNKNOWN: Final = ("dx_type", "age", "sex", "localization")
MAX_EXAMPLES: Final = 3  # image_ids or values in a report

# Pairs of published pictures that are the same photograph under two lesion_ids; only the white balance differs. In a
# split by lesion_id, one could be in the training set and the other in the test set.
SAME_PHOTOGRAPH: Final = (("ISIC_0025226", "ISIC_0030074"),)


class CleaningStep(BaseModel):
    """The changes by one rule."""

    model_config = ConfigDict(frozen=True)

    rule: str  # for programs, stable
    done: str  # for people: the change and the reason
    pictures: int  # rows changed or removed
    examples: list[str]  # the first of their image_ids


class CleaningReport(BaseModel):
    """All changes to a table, and the values that remain unknown."""

    model_config = ConfigDict(frozen=True)

    rows_read: int = 0
    rows_kept: int = 0
    steps: list[CleaningStep] = []  # only rules that changed something
    unknown: dict[str, int] = {}  # column -> pictures whose value is unknown after cleaning; nothing is imputed

    @property
    def lines(self) -> list[str]:
        """The report for people: a line for each step, then one for the unknown values."""
        lines = [
            f"cleaned: {step.pictures} of {self.rows_read} rows: {step.done} ({_examples(step)})" for step in self.steps
        ]
        counts = ", ".join(f"{column} of {pictures}" for column, pictures in self.unknown.items() if pictures)
        return [*lines, *([f"left unknown, not imputed: {counts} pictures"] if counts else [])]


def clean(rows: pd.DataFrame) -> tuple[pd.DataFrame, CleaningReport]:
    """Apply every rule, in a fixed order; the same table always gives the same result.

    Args:
        rows: the published columns as stripped text, as `training.data.ham10000.read_metadata` returns them.

    Returns:
        The cleaned rows, still text, in the same order, and the report. An age is a number of years in 0..120 or
        empty; a sex is one of `SEXES`; an empty site or dx_type became "unknown".
    """
    n_read = len(rows)
    steps: list[CleaningStep] = []
    rows = _remove_repeated_rows(rows, steps)
    rows = _normalize_words(rows, steps)
    rows = _clear_impossible_ages(rows, steps)
    rows = _clear_strange_sexes(rows, steps)
    rows = _merge_same_photograph(rows, steps)
    rows = rows.assign(**{column: rows[column].replace("", UNKNOWN) for column in ("dx_type", "sex", "localization")})
    rows = rows.astype(str)
    unknown = {column: int(rows[column].isin(["", UNKNOWN]).sum()) for column in MAY_BE_UNKNOWN}
    return rows, CleaningReport(rows_read=n_read, rows_kept=len(rows), steps=steps, unknown=unknown)


def _remove_repeated_rows(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    """Keep one of several equal rows. Two rows of a picture that differ stay: a person must decide."""
    repeated = rows.duplicated() & (rows["image_id"] != "")
    _record(steps, "repeated_row", "removed, because another row is equal", rows, repeated)
    return rows[~repeated].reset_index(drop=True)


def _normalize_words(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    cleaned = rows.assign(**{column: rows[column].str.lower().str.split().str.join(" ") for column in CATEGORICAL})
    changed = (cleaned[list(CATEGORICAL)] != rows[list(CATEGORICAL)]).any(axis="columns")
    _record(steps, "wording", "capitals and extra spaces removed from dx, dx_type, sex or site", rows, changed)
    return cleaned


def _clear_impossible_ages(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    """Make an impossible age unknown: no rule can find the true one, and the model does not see ages."""
    impossible = ~rows["age"].map(_is_age_or_empty)
    ages = ", ".join(f'"{age}"' for age in sorted(set(rows.loc[impossible, "age"]))[:MAX_EXAMPLES])
    done = f"age {ages} made unknown, because it is not a number of years in 0..{MAX_AGE}"
    _record(steps, "impossible_age", done, rows, impossible)
    return rows.assign(age=rows["age"].mask(impossible | (rows["age"].str.lower() == UNKNOWN), ""))


def _clear_strange_sexes(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    strange = ~rows["sex"].isin([*SEXES, ""])
    sexes = ", ".join(f'"{sex}"' for sex in sorted(set(rows.loc[strange, "sex"]))[:MAX_EXAMPLES])
    done = f"sex {sexes} made unknown, because the table has only female and male"
    _record(steps, "strange_sex", done, rows, strange)
    return rows.assign(sex=rows["sex"].mask(strange, UNKNOWN))


def _merge_same_photograph(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    """Assign the smaller lesion_id to all pictures of the two lesions."""
    lesion_of = dict(zip(rows["image_id"], rows["lesion_id"], strict=True))
    changed = pd.Series(False, index=rows.index)
    lesions = rows["lesion_id"]
    for pair in SAME_PHOTOGRAPH:
        found = {lesion_of.get(image_id, "") for image_id in pair}
        if len(found) == 2 and "" not in found:
            changed |= lesions == max(found)
            lesions = lesions.replace(max(found), min(found))
    done = "given the lesion_id of another row, because both show the same photograph"
    _record(steps, "same_photograph", done, rows, changed)
    return rows.assign(lesion_id=lesions)


def _record(steps: list[CleaningStep], rule: str, done: str, rows: pd.DataFrame, changed: "pd.Series[bool]") -> None:
    if changed.any():
        image_ids = rows.loc[changed, "image_id"].tolist()
        steps.append(CleaningStep(rule=rule, done=done, pictures=len(image_ids), examples=image_ids[:MAX_EXAMPLES]))


def _is_age_or_empty(text: str) -> bool:
    if text.lower() in ("", UNKNOWN):
        return True
    try:
        age = float(text)
    except ValueError:
        return False
    return math.isfinite(age) and 0 <= age <= MAX_AGE


def _examples(step: CleaningStep) -> str:
    return ", ".join(step.examples) + (", ..." if step.pictures > len(step.examples) else "")
