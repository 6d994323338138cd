"""What is put right in the table before anything reads it, by rules that are written down, and told each time.

`docs/data.md` says why each rule is as it is. What no rule can settle (a diagnosis that is none, two diagnoses of one
lesion, a picture that is absent) is not cleaned: `training.data.ham10000` refuses it.
"""

import math
from typing import Final

import pandas as pd
from pydantic import BaseModel, ConfigDict

UNKNOWN: Final = "unknown"  # how the published table says that a sex or a site was not recorded
SEXES: Final = ("female", "male", UNKNOWN)
OLDEST: Final = 120  # years
WORDS: Final = ("dx", "dx_type", "sex", "localization")  # columns of words from a short list
MAY_BE_UNKNOWN: Final = ("dx_type", "age", "sex", "localization")
NAMED_AT_MOST: Final = 3  # pictures that a step names

# Pairs of published pictures that are one photograph under two lesion_ids: the first is the second in another white
# balance. Split by lesion_id alone, a model could be examined on what it has seen.
SAME_PHOTOGRAPH: Final = (("ISIC_0025226", "ISIC_0030074"),)


class CleaningStep(BaseModel):
    """What one rule did."""

    model_config = ConfigDict(frozen=True)

    rule: str  # for programs, stable
    done: str  # for people: what was done, and why
    pictures: int  # rows that it touched, or took out
    examples: list[str]  # image_ids of the first of them


class CleaningReport(BaseModel):
    """What cleaning did to a table, and what it left unknown."""

    model_config = ConfigDict(frozen=True)

    rows_read: int = 0
    rows_kept: int = 0
    steps: list[CleaningStep] = []  # rules that had nothing to do are not listed
    unknown: dict[str, int] = {}  # column -> pictures where it is unknown, afterwards; nothing is imputed

    @property
    def lines(self) -> list[str]:
        """Say it for people, a line for each step, then what stays unknown."""
        lines = [
            f"cleaned: {step.pictures} of {self.rows_read} rows: {step.done} ({_some(step)})" for step in self.steps
        ]
        left = ", ".join(f"{column} of {pictures}" for column, pictures in self.unknown.items() if pictures)
        return [*lines, *([f"left unknown, not imputed: {left} pictures"] if left else [])]


def clean(rows: pd.DataFrame) -> tuple[pd.DataFrame, CleaningReport]:
    """Apply every rule, in this order; the same table always comes out the same.

    Args:
        rows: the published columns as stripped text, as `training.data.ham10000.read_metadata` returns them.

    Returns:
        The cleaned rows, still text, in the same order, and what was done. An age is a number of years in
        0..120 or blank; a sex is one of `SEXES`; a blank site or way of diagnosis is "unknown".
    """
    read = len(rows)
    steps: list[CleaningStep] = []
    rows = _drop_repeated(rows, steps)
    rows = _lower(rows, steps)
    rows = _blank_impossible_ages(rows, steps)
    rows = _unknown_sexes(rows, steps)
    rows = _join_same_photograph(rows, steps)
    rows = rows.assign(**{column: rows[column].replace("", UNKNOWN) for column in ("dx_type", "sex", "localization")})
    rows = rows.astype(str)
    unknown = {column: int(rows[column].isin(["", UNKNOWN]).sum()) for column in MAY_BE_UNKNOWN}
    return rows, CleaningReport(rows_read=read, rows_kept=len(rows), steps=steps, unknown=unknown)


def _drop_repeated(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    """Rows that say the same of a picture twice are one; two that differ are for a person to settle."""
    repeated = rows.duplicated() & (rows["image_id"] != "")
    _note(steps, "repeated_row", "taken out, since another row says the very same", rows, repeated)
    return rows[~repeated].reset_index(drop=True)


def _lower(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    cleaned = rows.assign(**{column: rows[column].str.lower().str.split().str.join(" ") for column in WORDS})
    changed = (cleaned[list(WORDS)] != rows[list(WORDS)]).any(axis="columns")
    _note(steps, "wording", "capitals and stray blanks removed from dx, dx_type, sex or site", rows, changed)
    return cleaned


def _blank_impossible_ages(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    """An age that cannot be is unknown: no rule can tell what was meant, and nothing learns from it."""
    impossible = ~rows["age"].map(_is_age_or_blank)
    shown = ", ".join(f'"{age}"' for age in sorted(set(rows.loc[impossible, "age"]))[:NAMED_AT_MOST])
    _note(
        steps, "impossible_age", f"age {shown} made unknown, being no number of years in 0..{OLDEST}", rows, impossible
    )
    return rows.assign(age=rows["age"].mask(impossible | (rows["age"].str.lower() == UNKNOWN), ""))


def _unknown_sexes(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    strange = ~rows["sex"].isin([*SEXES, ""])
    shown = ", ".join(f'"{sex}"' for sex in sorted(set(rows.loc[strange, "sex"]))[:NAMED_AT_MOST])
    _note(steps, "strange_sex", f"sex {shown} made unknown, since the table knows female and male", rows, strange)
    return rows.assign(sex=rows["sex"].mask(strange, UNKNOWN))


def _join_same_photograph(rows: pd.DataFrame, steps: list[CleaningStep]) -> pd.DataFrame:
    lesion_of = dict(zip(rows["image_id"], rows["lesion_id"], strict=True))
    joined = pd.Series(False, index=rows.index)
    lesions = rows["lesion_id"]
    for pair in SAME_PHOTOGRAPH:
        found = {lesion_of.get(image_id, "") for image_id in pair}
        if len(found) == 2 and "" not in found:
            joined |= lesions == max(found)
            lesions = lesions.replace(max(found), min(found))
    _note(steps, "same_photograph", "given the lesion_id of another row, since both show one photograph", rows, joined)
    return rows.assign(lesion_id=lesions)


def _note(steps: list[CleaningStep], rule: str, done: str, rows: pd.DataFrame, touched: "pd.Series[bool]") -> None:
    if touched.any():
        image_ids = rows.loc[touched, "image_id"].tolist()
        steps.append(CleaningStep(rule=rule, done=done, pictures=len(image_ids), examples=image_ids[:NAMED_AT_MOST]))


def _is_age_or_blank(text: str) -> bool:
    if text.lower() in ("", UNKNOWN):
        return True
    try:
        age = float(text)
    except ValueError:
        return False
    return math.isfinite(age) and 0 <= age <= OLDEST


def _some(step: CleaningStep) -> str:
    return ", ".join(step.examples) + (", ..." if step.pictures > len(step.examples) else "")
