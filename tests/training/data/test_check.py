"""The check finds all problems at once and describes each in a sentence."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from contract.errors import DatasetError
from contract.labels import CODES
from tests.training.data.dataset_folder import DatasetFolder
from training.data.check import check


def test_a_data_set_without_problems_is_sound_and_counted(folder: DatasetFolder) -> None:
    reports: list[tuple[str, int, int]] = []
    report = check(folder.path, lambda *report: reports.append(report))
    dataset = folder.read()
    total = len(dataset.rows)
    assert report.sound
    assert report.problems == []
    assert (report.pictures, report.lesions) == (total, dataset.lesions)
    assert {code: found.pictures for code, found in report.per_class.items()} == dataset.per_class
    assert {code: found.lesions for code, found in report.per_class.items()} == dict.fromkeys(CODES, 4)
    assert sum(report.sizes.values()) == total
    assert reports == [("checking pictures", done, total) for done in range(1, total + 1)]


def test_a_report_can_be_read_back_from_json(folder: DatasetFolder) -> None:
    report = check(folder.path)
    assert type(report).model_validate(json.loads(report.model_dump_json())) == report


def test_all_problems_are_found_in_one_run(folder: DatasetFolder) -> None:
    rows = sorted(folder.rows, key=lambda row: row["image_id"])
    truncated, empty, absent = (folder.picture(row["image_id"]) for row in rows[:3])
    truncated.write_bytes(truncated.read_bytes()[:4000])
    empty.write_bytes(b"")
    absent.unlink()
    shutil.copy(folder.picture(rows[5]["image_id"]), folder.picture("EXTRA_0000001"))
    rows[6]["dx"] = "scc"
    rows[7] |= {"age": "", "sex": "unknown", "localization": ""}
    folder.rows = rows

    report = check(folder.path)
    assert not report.sound
    assert list(report.corrupt) == [truncated.stem, empty.stem]
    assert "damaged or incomplete" in report.corrupt[truncated.stem]
    assert "The file is empty" in report.corrupt[empty.stem]
    assert report.without_row == ["EXTRA_0000001"]
    assert sum(report.sizes.values()) == len(rows) - 3
    problems = " ".join(report.problems)
    assert 'names "scc"' in problems
    assert f"1 of the {len(rows)} pictures" in problems
    assert absent.stem in problems
    assert "2 pictures cannot be decoded" in problems


def test_unknown_ages_sexes_and_sites_are_counted_and_are_no_problem(folder: DatasetFolder) -> None:
    known = [{**row, "age": "50.0", "sex": "female", "localization": "back"} for row in folder.rows]
    known[0]["age"] = known[1]["age"] = ""
    known[2]["sex"] = "unknown"
    known[3]["localization"] = known[4]["localization"] = known[5]["localization"] = "unknown"
    folder.rows = known
    report = check(folder.path)
    assert (report.unknown_ages, report.unknown_sexes, report.unknown_sites) == (2, 1, 3)
    assert report.sound


def test_a_picture_without_a_row_is_listed_and_is_no_problem(folder: DatasetFolder) -> None:
    shutil.copy(folder.picture(folder.rows[0]["image_id"]), folder.picture("EXTRA_0000001"))
    report = check(folder.path)
    assert report.without_row == ["EXTRA_0000001"]
    assert report.sound


def test_a_class_too_small_to_be_split_is_a_problem(folder: DatasetFolder) -> None:
    vascular = [row["lesion_id"] for row in folder.rows if row["dx"] == "vasc"]
    folder.rows = [row for row in folder.rows if row["dx"] != "vasc" or row["lesion_id"] == vascular[0]]
    assert check(folder.path).problems == [
        "Class vasc has 1 lesion, and at least 3 are needed to split it: add pictures of it."
    ]


def test_a_folder_without_a_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no HAM10000_metadata.csv"):
        check(tmp_path)


def test_the_report_has_the_cleaning_steps_and_the_unknown_values(folder: DatasetFolder) -> None:
    rows = [{**row, "age": "50.0", "sex": "female", "localization": "back", "dx_type": "histo"} for row in folder.rows]
    rows[0] |= {"age": "-5", "sex": "F", "localization": "Back "}
    rows[1]["age"] = "0"
    folder.rows = [*rows, rows[2]]
    report = check(folder.path)
    assert {step.rule for step in report.cleaning.steps} == {
        "repeated_row", "wording", "impossible_age", "strange_sex",
    }  # fmt: skip
    assert (report.pictures, report.cleaning.rows_read) == (len(rows), len(rows) + 1)
    assert (report.unknown_ages, report.unknown_sexes, report.unknown_sites) == (1, 1, 0)
    assert report.anomalies[0] == "1 picture of age 0: infants, or an age that was not recorded."
    assert report.sound


def test_disagreeing_pictures_and_unpublished_values_are_anomalies_and_no_problem(folder: DatasetFolder) -> None:
    rows = [{**row, "age": "50.0", "sex": "female", "localization": "back", "dx_type": "histo"} for row in folder.rows]
    first, second = _two_of_one_class(rows)
    second["lesion_id"] = first["lesion_id"]
    second |= {"age": "80.0", "localization": "tongue", "dx_type": "guess"}
    folder.rows = rows
    report = check(folder.path)
    assert report.problems == [] or "needed to split" in report.problems[0]
    anomalies = " ".join(report.anomalies)
    for sentence in (
        f"1 lesion with pictures of different ages (such as {first['lesion_id']})",
        "1 lesion with pictures of different sites",
        "1 lesion with pictures of different diagnosis methods",
        'a dx_type that HAM10000 does not have ("guess")',
        'a localization that HAM10000 does not have ("tongue")',
    ):
        assert sentence in anomalies


def _two_of_one_class(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    nevi = [row for row in rows if row["dx"] == "nv"]
    return [nevi[0], next(row for row in nevi if row["lesion_id"] != nevi[0]["lesion_id"])]


def test_near_duplicates_are_a_problem_across_lesions_and_not_within_one(folder: DatasetFolder) -> None:
    rows = folder.rows
    first, second = _two_of_one_class(rows)
    with Image.open(folder.picture(first["image_id"])) as picture:
        brighter = picture.point(lambda value: round(value * 0.9 + 20))
    brighter.save(folder.picture(second["image_id"]), quality=70)
    report = check(folder.path)
    (pair,) = report.duplicates.across_lesions
    assert set(pair.image_ids) == {first["image_id"], second["image_id"]}
    assert any("1 pair of near-duplicate pictures under different lesions" in problem for problem in report.problems)
    for row in rows:
        row["lesion_id"] = first["lesion_id"] if row["lesion_id"] == second["lesion_id"] else row["lesion_id"]
    folder.rows = rows
    corrected = check(folder.path)
    assert corrected.duplicates.across_lesions == []
    assert set(pair.image_ids) in [set(found.image_ids) for found in corrected.duplicates.within_lesions]
    assert not any("near-duplicate" in problem for problem in corrected.problems)
