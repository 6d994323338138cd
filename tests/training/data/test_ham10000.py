"""Read the published layout, and refuse inconsistent data."""

from pathlib import Path

import numpy as np
import pytest

from contract.errors import DatasetError
from contract.labels import CODES
from tests.training.data.dataset_folder import DatasetFolder
from training.data.ham10000 import COLUMNS, read_dataset


def refusal(folder: DatasetFolder) -> str:
    with pytest.raises(DatasetError) as caught:
        read_dataset(folder.path)
    return str(caught.value)


def test_every_row_has_a_picture_file_and_a_class_index(folder: DatasetFolder) -> None:
    dataset = folder.read()
    assert list(dataset.rows.columns) == [*COLUMNS, "path", "class_index"]
    for row in dataset.rows.to_dict("records"):
        assert Path(row["path"]).is_absolute()
        assert Path(row["path"]) == folder.picture(row["image_id"])
        assert CODES[row["class_index"]] == row["dx"]
    assert dataset.rows["age"].dtype == np.float64
    assert dataset.per_class == {code: sum(row["dx"] == code for row in folder.rows) for code in CODES}
    assert dataset.lesions == len({row["lesion_id"] for row in folder.rows})


def test_rows_are_sorted_by_picture_whatever_the_order_of_the_table(folder: DatasetFolder) -> None:
    before = folder.read()
    folder.rows = folder.rows[::-1]
    after = folder.read()
    assert after.rows["image_id"].is_monotonic_increasing
    assert after.rows.equals(before.rows)
    assert after.sha256 == before.sha256


def test_the_hash_depends_on_the_rows_and_their_values_and_not_on_their_order(folder: DatasetFolder) -> None:
    dataset = folder.read()
    everything = range(len(dataset.rows))
    assert dataset.subset(everything[::-1]).sha256 == dataset.sha256
    assert dataset.subset(everything[1:]).sha256 != dataset.sha256
    rows = folder.rows
    rows[0]["age"] = "35.0" if rows[0]["age"] != "35.0" else "40.0"
    folder.rows = rows
    assert folder.read().sha256 != dataset.sha256


def test_a_subset_has_the_given_rows_in_the_given_order(folder: DatasetFolder) -> None:
    dataset = folder.read()
    subset = dataset.subset(np.array([5, 2, 9]))
    assert subset.rows["image_id"].tolist() == dataset.rows["image_id"].iloc[[5, 2, 9]].tolist()
    assert subset.rows.index.tolist() == [0, 1, 2]


def test_the_name_of_the_data_set_comes_from_its_image_ids(folder: DatasetFolder, synthetic_dir: Path) -> None:
    assert read_dataset(synthetic_dir).name == "synthetic"
    rows = folder.rows
    own = [f"CLINIC_{number}" for number in range(len(rows))]
    for row, image_id in zip(rows, own, strict=True):
        folder.picture(row["image_id"]).rename(folder.picture(image_id))
        row["image_id"] = image_id
    folder.rows = rows
    assert folder.read().name == folder.path.name
    for row, image_id in zip(rows, own, strict=True):
        row["image_id"] = image_id.replace("CLINIC", "ISIC")
        folder.picture(image_id).rename(folder.picture(row["image_id"]))
    folder.rows = rows
    assert folder.read().name == "HAM10000"


def test_the_two_published_folders_are_read_as_one(folder: DatasetFolder) -> None:
    one_folder = folder.read()
    parts = [folder.path / f"HAM10000_images_part_{part}" for part in (1, 2)]
    for part in parts:
        part.mkdir()
    for number, picture in enumerate(sorted((folder.path / "images").iterdir())):
        picture.rename(parts[number % 2] / picture.name)
    (folder.path / "images").rmdir()
    two_folders = folder.read()
    assert two_folders.sha256 == one_folder.sha256
    assert {Path(path).parent for path in two_folders.rows["path"]} == set(parts)


def test_unknown_ages_are_nan_and_unknown_sexes_and_sites_are_called_unknown(folder: DatasetFolder) -> None:
    rows = folder.rows
    rows[0] |= {"age": "", "sex": "", "localization": ""}
    folder.rows = rows
    read = folder.read().rows.set_index("image_id").loc[rows[0]["image_id"]]
    assert np.isnan(read["age"])
    assert (read["sex"], read["localization"]) == ("unknown", "unknown")


def test_more_columns_and_a_byte_order_mark_are_accepted(folder: DatasetFolder) -> None:
    before = folder.read()
    folder.rows = [{**row, "dataset": "vidir_modern"} for row in folder.rows]
    folder.table.write_bytes(b"\xef\xbb\xbf" + folder.table.read_bytes())
    assert folder.read().rows.equals(before.rows)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no folder .*nowhere.*HAM10000_DIR"):
        read_dataset(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_refused(folder: DatasetFolder) -> None:
    with pytest.raises(DatasetError, match="There is no folder"):
        read_dataset(folder.table)


def test_the_error_for_a_missing_table_says_how_to_get_one(folder: DatasetFolder) -> None:
    folder.table.unlink()
    assert "no HAM10000_metadata.csv" in refusal(folder)
    assert "lesion data sample" in refusal(folder)


def test_a_folder_in_place_of_the_table_is_refused(folder: DatasetFolder) -> None:
    folder.table.unlink()
    folder.table.mkdir()
    assert "cannot be opened" in refusal(folder)


def test_missing_columns_are_named(folder: DatasetFolder) -> None:
    folder.rows = [{key: value for key, value in row.items() if key not in ("dx", "age")} for row in folder.rows]
    assert "has no column dx, age" in refusal(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(256)) * 20, "is not a CSV table"),
        (b"lesion_id,image_id\na,b\nc,d,e,f\n", "is not a CSV table"),
        (b'lesion_id,image_id\n"never closed,b\n', "is not a CSV table"),
        (b"hello\nworld\n", "has no column lesion_id, image_id, dx, ..."),
        ((",".join(COLUMNS) + "\n").encode(), "has a header and no rows"),
    ],
    ids=["empty", "a picture", "ragged", "open quote", "plain text", "header alone"],
)
def test_a_file_that_is_not_the_table_is_refused(folder: DatasetFolder, content: bytes, reason: str) -> None:
    folder.table.write_bytes(content)
    assert reason in refusal(folder)


def test_rows_longer_than_the_header_are_refused(folder: DatasetFolder) -> None:
    header, *lines = folder.table.read_text().splitlines()
    folder.table.write_text("\n".join([header, *(line + ",surplus" for line in lines)]))
    assert "is not a CSV table" in refusal(folder)


def test_missing_pictures_are_counted_and_a_few_are_named(folder: DatasetFolder) -> None:
    missing = sorted(row["image_id"] for row in folder.rows)[:5]
    for image_id in missing:
        folder.picture(image_id).unlink()
    sentence = refusal(folder)
    assert f"5 of the {len(folder.rows)} pictures" in sentence
    assert all(image_id in sentence for image_id in missing[:3])
    assert missing[4] not in sentence


def test_a_table_without_any_folder_of_pictures_is_refused(folder: DatasetFolder) -> None:
    (folder.path / "images").rename(folder.path / "elsewhere")
    assert "There are no pictures in" in refusal(folder)


def test_an_unknown_class_is_named_with_the_seven_known_ones(folder: DatasetFolder) -> None:
    rows = folder.rows
    rows[0]["dx"] = "scc"
    folder.rows = rows
    assert 'names "scc"' in refusal(folder)
    assert "akiec, bcc, bkl, df, mel, nv, vasc" in refusal(folder)


def test_two_diagnoses_of_one_lesion_are_refused(folder: DatasetFolder) -> None:
    rows = folder.rows
    other = next(row for row in rows if row["dx"] != rows[0]["dx"])
    other["lesion_id"] = rows[0]["lesion_id"]
    folder.rows = rows
    assert f"1 lesion has more than one dx ({rows[0]['lesion_id']})" in refusal(folder)


def test_a_picture_with_two_different_rows_is_refused(folder: DatasetFolder) -> None:
    folder.rows = [*folder.rows, folder.rows[0] | {"localization": "elsewhere"}]
    assert f"1 picture has more than one row ({folder.rows[0]['image_id']})" in refusal(folder)


def test_a_row_without_a_lesion_is_refused(folder: DatasetFolder) -> None:
    rows = folder.rows
    rows[3]["lesion_id"] = "  "
    folder.rows = rows
    assert f"1 of {len(rows)} rows lack an image_id or a lesion_id" in refusal(folder)


def test_a_path_as_image_id_finds_no_picture(folder: DatasetFolder) -> None:
    rows = folder.rows
    folder.picture(rows[0]["image_id"]).rename(folder.path / "outside.jpg")
    rows[0]["image_id"] = "../outside"
    folder.rows = rows
    assert "are absent (../outside)" in refusal(folder)
