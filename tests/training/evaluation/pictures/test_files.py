"""Picture files below a folder: found by name, in HAM10000's folders or anywhere, and decoded where possible."""

from pathlib import Path

import pytest
from PIL import Image

from contract.errors import DatasetError
from tests.heic_files import encode_heic
from training.evaluation.pictures.files import decode_pictures, find_picture_files


def write_pictures(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 90), (200, 120, 90)).save(folder / name)


def test_pictures_are_found_anywhere_below_a_folder(tmp_path: Path) -> None:
    write_pictures(tmp_path, "a.jpg", "deep/er/b.PNG", ".hidden.png")
    (tmp_path / "notes.txt").touch()
    assert find_picture_files(tmp_path) == {"a": str(tmp_path / "a.jpg"), "b": str(tmp_path / "deep/er/b.PNG")}


def test_only_the_folders_of_ham10000_are_searched_if_they_exist(tmp_path: Path) -> None:
    write_pictures(tmp_path, "images/a.jpg", "thumbnails/a.jpg")
    assert find_picture_files(tmp_path) == {"a": str(tmp_path / "images/a.jpg")}


def test_two_pictures_with_the_same_name_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, "one/a.jpg", "two/a.png")
    with pytest.raises(DatasetError, match="two pictures called a in"):
        find_picture_files(tmp_path)


def test_files_that_cannot_be_decoded_are_counted(tmp_path: Path) -> None:
    write_pictures(tmp_path, "a.jpg", "b.webp")
    (tmp_path / "d.HEIC").write_bytes(encode_heic(Image.new("RGB", (64, 64))))
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff")
    ((pixels, left_out),) = decode_pictures(tmp_path, 32)
    assert (pixels.shape, left_out) == ((3, 32, 32, 3), 1)


def test_a_folder_without_a_decodable_picture_gives_no_pixels(tmp_path: Path) -> None:
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff")
    ((pixels, left_out),) = decode_pictures(tmp_path, 32)
    assert (pixels.shape, left_out) == ((0, 32, 32, 3), 1)
