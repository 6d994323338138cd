"""Cleaning: what is put right, what is left unknown, and that nothing happens unsaid."""

import pandas as pd
import pytest

from contract.errors import DatasetError
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
    return rows.to_dict("records"), report


def test_a_sound_table_stays_as_it_is_and_nothing_is_said() -> None:
    before = table({}, {"age": "0", "sex": "male"}, {"age": "85.0"})
    rows, report = clean(before)
    assert rows.equals(before)
    assert (report.rows_read, report.rows_kept, report.steps, report.lines) == (3, 3, [], [])


@pytest.mark.parametrize("age", ["old", "-3", "1000", "nan", "inf", "-inf", "121", "1e3", "5O"])
def test_an_age_that_cannot_be_becomes_unknown_and_is_told(age: str) -> None:
    (first, second), report = cleaned({"age": age}, {})
    assert (first["age"], second["age"]) == ("", "50.0")
    (step,) = report.steps
    assert (step.rule, step.pictures, step.examples) == ("impossible_age", 1, ["P0"])
    assert f'age "{age}" made unknown' in report.lines[0]
    assert report.unknown["age"] == 1


@pytest.mark.parametrize("age", ["0", "0.0", "85.0", "120", "42.5"])
def test_an_age_that_can_be_is_kept(age: str) -> None:
    (row,), report = cleaned({"age": age})
    assert row["age"] == age
    assert report.steps == []


def test_what_is_unknown_is_counted_and_not_imputed() -> None:
    rows, report = cleaned(
        {"age": "", "sex": ""}, {"age": "unknown", "localization": ""}, {"dx_type": "", "sex": "unknown"}
    )
    assert [row["age"] for row in rows] == ["", "", "50.0"]
    assert [row["sex"] for row in rows] == ["unknown", "female", "unknown"]
    assert (rows[1]["localization"], rows[2]["dx_type"]) == ("unknown", "unknown")
    assert report.unknown == {"dx_type": 1, "age": 2, "sex": 2, "localization": 1}
    assert report.lines == ["left unknown, not imputed: dx_type of 1, age of 2, sex of 2, localization of 1 pictures"]


def test_capitals_and_stray_blanks_are_removed_and_a_strange_sex_becomes_unknown() -> None:
    rows, report = cleaned({"dx": "NV", "localization": "Lower  Extremity"}, {"sex": "Male"}, {"sex": "f"})
    assert (rows[0]["dx"], rows[0]["localization"]) == ("nv", "lower extremity")
    assert [row["sex"] for row in rows] == ["female", "male", "unknown"]
    assert {step.rule: step.examples for step in report.steps} == {"wording": ["P0", "P1"], "strange_sex": ["P2"]}


def test_a_row_that_is_there_twice_is_taken_once_and_two_that_differ_both_stay() -> None:
    same = {"image_id": "P9", "lesion_id": "L9"}
    rows, report = cleaned(same, {}, same, {**same, "age": "20.0"})
    assert [row["image_id"] for row in rows] == ["P9", "P1", "P9"]
    assert (report.rows_read, report.rows_kept) == (4, 3)
    assert "1 of 4 rows: taken out" in report.lines[0]


def test_one_photograph_under_two_lesions_becomes_one_lesion_with_all_its_pictures() -> None:
    one, other = SAME_PHOTOGRAPH[0]
    rows, report = cleaned(
        {"image_id": one, "lesion_id": "L8"}, {"lesion_id": "L8"}, {"image_id": other, "lesion_id": "L7"}, {}
    )
    assert [row["lesion_id"] for row in rows] == ["L7", "L7", "L7", "L3"]
    (step,) = report.steps
    assert (step.rule, step.pictures) == ("same_photograph", 2)
    alone, silent = cleaned({"image_id": one, "lesion_id": "L8"}, {})
    assert (alone[0]["lesion_id"], silent.steps) == ("L8", [])


def test_cleaning_what_is_clean_does_nothing_more() -> None:
    one, other = SAME_PHOTOGRAPH[0]
    once, _ = clean(table({"age": "old"}, {"sex": "?"}, {"image_id": one}, {"image_id": other}, {"dx": "MEL"}))
    again, report = clean(once)
    assert again.equals(once)
    assert report.steps == []


def test_training_reads_the_cleaned_table_with_the_report_and_keeps_it_in_a_subset(folder) -> None:
    rows = folder.rows
    rows[0]["age"] = "999"
    rows[1]["dx"] = rows[1]["dx"].upper()
    folder.rows = [*rows, rows[5]]
    dataset = read_dataset(folder.path)
    assert len(dataset.rows) == len(rows)
    assert {step.rule for step in dataset.cleaning.steps} == {"repeated_row", "wording", "impossible_age"}
    assert dataset.subset([0, 1]).cleaning == dataset.cleaning
    assert dataset.rows.set_index("image_id")["age"].isna()[rows[0]["image_id"]]


def test_no_split_ever_parts_the_photograph_that_lies_under_two_lesions(folder) -> None:
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


def test_what_no_rule_can_settle_is_refused(folder) -> None:
    rows = folder.rows
    rows[0]["dx"] = "scc"
    folder.rows = rows
    with pytest.raises(DatasetError, match="none of the seven classes"):
        read_dataset(folder.path)
