"""Cleaning: the changes, the unknown values, and a report of every change."""

import pandas as pd
import pytest

from contract.errors import DatasetError
from tests.training.data.dataset_folder import DatasetFolder
from training.data.clean import SAME_PHOTOGRAPH, CleaningReport, clean
from training.data.ham10000 import COLUMNS, read_dataset
from training.data.split import split_by_lesion

ROW = {
    "lesion_id": "L1", "image_id": "P1", "dx": "nv", "dx_type": "histo", "age": "50.0", "sex": "female",
    "localization": "back",
}  # fmt: skip


def table(*changes: dict[str, str]) -> pd.DataFrame:
    rows = [
        {**ROW, "image_id": f"P{number}", "lesion_id": f"L{number}", **change} for number, change in enumerate(changes)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def cleaned(*changes: dict[str, str]) -> tuple[list[dict[str, str]], CleaningReport]:
    rows, report = clean(table(*changes))
    return [{str(column): value for column, value in row.items()} for row in rows.to_dict("records")], report


def test_a_clean_table_stays_unchanged_with_an_empty_report() -> None:
    before = table({}, {"age": "0", "sex": "male"}, {"age": "85.0"})
    rows, report = clean(before)
    assert rows.equals(before)
    assert (report.rows_read, report.rows_kept, report.steps, report.lines) == (3, 3, [], [])


@pytest.mark.parametrize("age", ["old", "-3", "1000", "nan", "inf", "-inf", "121", "1e3", "5O"])
def test_an_impossible_age_becomes_unknown_and_is_reported(age: str) -> None:
    (first, second), report = cleaned({"age": age}, {})
    assert (first["age"], second["age"]) == ("", "50.0")
    (step,) = report.steps
    assert (step.rule, step.pictures, step.examples) == ("impossible_age", 1, ["P0"])
    assert f'age "{age}" made unknown' in report.lines[0]
    assert report.unknown["age"] == 1


@pytest.mark.parametrize("age", ["0", "0.0", "85.0", "120", "42.5"])
def test_a_possible_age_is_kept(age: str) -> None:
    (row,), report = cleaned({"age": age})
    assert row["age"] == age
    assert report.steps == []


def test_unknown_values_are_counted_and_not_imputed() -> None:
    rows, report = cleaned(
        {"age": "", "sex": ""}, {"age": "unknown", "localization": ""}, {"dx_type": "", "sex": "unknown"}
    )
    assert [row["age"] for row in rows] == ["", "", "50.0"]
    assert [row["sex"] for row in rows] == ["unknown", "female", "unknown"]
    assert (rows[1]["localization"], rows[2]["dx_type"]) == ("unknown", "unknown")
    assert report.unknown == {"dx_type": 1, "age": 2, "sex": 2, "localization": 1}
    assert report.lines == ["left unknown, not imputed: dx_type of 1, age of 2, sex of 2, localization of 1 pictures"]


def test_capitals_and_extra_spaces_are_removed_and_a_strange_sex_becomes_unknown() -> None:
    rows, report = cleaned({"dx": "NV", "localization": "Lower  Extremity"}, {"sex": "Male"}, {"sex": "f"})
    assert (rows[0]["dx"], rows[0]["localization"]) == ("nv", "lower extremity")
    assert [row["sex"] for row in rows] == ["female", "male", "unknown"]
    assert {step.rule: step.examples for step in report.steps} == {"wording": ["P0", "P1"], "strange_sex": ["P2"]}


def test_a_repeated_row_is_removed_and_two_different_rows_stay() -> None:
    same = {"image_id": "P9", "lesion_id": "L9"}
    rows, report = cleaned(same, {}, same, {**same, "age": "20.0"})
    assert [row["image_id"] for row in rows] == ["P9", "P1", "P9"]
    assert (report.rows_read, report.rows_kept) == (4, 3)
    assert "1 of 4 rows: removed" in report.lines[0]


def test_two_lesions_of_the_same_photograph_become_one() -> None:
    one, other = SAME_PHOTOGRAPH[0]
    rows, report = cleaned(
        {"image_id": one, "lesion_id": "L8"}, {"lesion_id": "L8"}, {"image_id": other, "lesion_id": "L7"}, {}
    )
    assert [row["lesion_id"] for row in rows] == ["L7", "L7", "L7", "L3"]
    (step,) = report.steps
    assert (step.rule, step.pictures) == ("same_photograph", 2)
    unpaired, empty_report = cleaned({"image_id": one, "lesion_id": "L8"}, {})
    assert (unpaired[0]["lesion_id"], empty_report.steps) == ("L8", [])


def test_cleaning_twice_changes_nothing() -> None:
    one, other = SAME_PHOTOGRAPH[0]
    once, _ = clean(table({"age": "old"}, {"sex": "?"}, {"image_id": one}, {"image_id": other}, {"dx": "MEL"}))
    twice, report = clean(once)
    assert twice.equals(once)
    assert report.steps == []


def test_a_dataset_has_the_cleaned_rows_and_the_report_also_in_a_subset(folder: DatasetFolder) -> None:
    rows = folder.rows
    rows[0]["age"] = "999"
    rows[1]["dx"] = rows[1]["dx"].upper()
    folder.rows = [*rows, rows[5]]
    dataset = read_dataset(folder.path)
    assert len(dataset.rows) == len(rows)
    assert {step.rule for step in dataset.cleaning.steps} == {"repeated_row", "wording", "impossible_age"}
    assert dataset.subset([0, 1]).cleaning == dataset.cleaning
    assert dataset.rows.set_index("image_id")["age"].isna()[rows[0]["image_id"]]


def test_no_split_separates_the_same_photograph_under_two_lesions(folder: DatasetFolder) -> None:
    rows = folder.rows
    nevi = [row for row in rows if row["dx"] == "nv"]
    pair = nevi[0], next(row for row in nevi if row["lesion_id"] != nevi[0]["lesion_id"])
    for row, image_id in zip(pair, SAME_PHOTOGRAPH[0], strict=True):
        folder.picture(row["image_id"]).rename(folder.picture(image_id))
        row["image_id"] = image_id
    folder.rows = rows
    dataset = read_dataset(folder.path)
    for seed in range(20):
        split = split_by_lesion(dataset, seed)
        sides = [set(dataset.rows["image_id"].iloc[part]) for part in (split.train, split.validation, split.test)]
        assert sum(not side.isdisjoint(SAME_PHOTOGRAPH[0]) for side in sides) == 1


def test_a_problem_that_no_rule_solves_is_refused(folder: DatasetFolder) -> None:
    rows = folder.rows
    rows[0]["dx"] = "scc"
    folder.rows = rows
    with pytest.raises(DatasetError, match="none of the seven classes"):
        read_dataset(folder.path)
