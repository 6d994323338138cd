"""Checking a folder: everything that is wrong is found at once, and said in plain sentences."""

import json
import shutil
from pathlib import Path

import pytest

from contract.errors import DatasetError
from contract.labels import CODES
from training.data.check import check


def test_sound_pictures_are_called_sound_and_counted(folder) -> None:
    reports: list[tuple[str, int, int]] = []
    report = check(folder.path, lambda *told: reports.append(told))
    dataset = folder.read()
    total = len(dataset.rows)
    assert report.sound
    assert report.problems == []
    assert (report.pictures, report.lesions) == (total, dataset.lesions)
    assert {code: found.pictures for code, found in report.per_class.items()} == dataset.per_class
    assert {code: found.lesions for code, found in report.per_class.items()} == dict.fromkeys(CODES, 4)
    assert sum(report.sizes.values()) == total
    assert reports == [("checking pictures", done, total) for done in range(1, total + 1)]


def test_a_report_survives_json(folder) -> None:
    report = check(folder.path)
    assert type(report).model_validate(json.loads(report.model_dump_json())) == report


def test_every_fault_is_found_in_one_run(folder) -> None:
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
    assert "not a JPEG" in report.corrupt[empty.stem]
    assert report.without_row == ["EXTRA_0000001"]
    assert sum(report.sizes.values()) == len(rows) - 3
    told = " ".join(report.problems)
    assert 'names "scc"' in told
    assert f"1 of the {len(rows)} pictures" in told
    assert absent.stem in told
    assert "2 pictures cannot be decoded" in told


def test_unknown_ages_sexes_and_sites_are_counted_and_no_fault(folder) -> None:
    known = [{**row, "age": "50.0", "sex": "female", "localization": "back"} for row in folder.rows]
    known[0]["age"] = known[1]["age"] = ""
    known[2]["sex"] = "unknown"
    known[3]["localization"] = known[4]["localization"] = known[5]["localization"] = "unknown"
    folder.rows = known
    report = check(folder.path)
    assert (report.unknown_ages, report.unknown_sexes, report.unknown_sites) == (2, 1, 3)
    assert report.sound


def test_a_picture_without_a_row_is_mentioned_and_does_no_harm(folder) -> None:
    shutil.copy(folder.picture(folder.rows[0]["image_id"]), folder.picture("EXTRA_0000001"))
    report = check(folder.path)
    assert report.without_row == ["EXTRA_0000001"]
    assert report.sound


def test_a_class_too_small_to_be_split_is_a_problem(folder) -> None:
    vascular = [row["lesion_id"] for row in folder.rows if row["dx"] == "vasc"]
    folder.rows = [row for row in folder.rows if row["dx"] != "vasc" or row["lesion_id"] == vascular[0]]
    assert check(folder.path).problems == [
        "Class vasc has 1 lesion, and at least 3 are needed to split it: add pictures of it."
    ]


def test_where_there_is_nothing_to_report_on_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no HAM10000_metadata.csv"):
        check(tmp_path)
