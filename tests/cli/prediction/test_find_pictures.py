"""Every file of a folder is a picture, or it is listed as left out with the reason."""

import os
import socket
from pathlib import Path

import pytest

from cli.prediction.find_pictures import (
    EMPTY,
    HIDDEN,
    OTHER_FORMAT,
    READ_ALREADY,
    SYSTEM_FILE,
    find_pictures,
)
from tests.cli.prediction.odd_folder import NAMES, OTHER_FORMATS, SYSTEM_FILES, write_files

JPEG = b"\xff\xd8\xff\xe0"


def found_in(*paths: Path) -> tuple[list[str], dict[str, str]]:
    """Return the names of the pictures, and the reason for each file that is left out."""
    pictures, left_out = find_pictures(paths)
    return [picture.name for picture in pictures], dict(left_out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


def test_a_picture_is_found_whatever_its_name_is(folder: Path) -> None:
    write_files(folder, NAMES, JPEG)
    pictures, left_out = found_in(folder)
    assert (set(pictures), len(pictures)) == ({os.fsdecode(name) for name in NAMES}, len(NAMES))
    assert left_out == {}


def test_a_file_that_is_named_like_a_picture_is_one_so_that_it_is_refused_and_not_left_out(folder: Path) -> None:
    write_files(folder, [b"empty.jpg", b"b.webp"], b"")
    write_files(folder, [b"text.PNG"], b"hello")
    assert found_in(folder) == (["b.webp", "empty.jpg", "text.PNG"], {})


def test_files_of_other_kinds_are_left_out_with_the_reason(folder: Path) -> None:
    for name, content in OTHER_FORMATS.items():
        write_files(folder, [name], content)
    write_files(folder, [*SYSTEM_FILES, b"@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg"], JPEG)
    write_files(folder, [b".hidden.jpg", b".cache/thumbnail.jpg"], JPEG)
    write_files(folder, [b"empty"], b"")
    assert found_in(folder) == ([], {
        **dict.fromkeys(map(os.fsdecode, OTHER_FORMATS), OTHER_FORMAT),
        **dict.fromkeys([*map(os.fsdecode, SYSTEM_FILES), "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg"], SYSTEM_FILE),
        ".hidden.jpg": HIDDEN, ".cache/": HIDDEN, "empty": EMPTY,
    })  # fmt: skip


def test_a_pipe_a_socket_and_a_device_are_named_and_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "pipe.jpg")
    monkeypatch.chdir(folder)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    assert found_in(folder) == ([], {
        "pipe.jpg": "a named pipe, not a regular file",
        "socket.jpg": "a socket, not a regular file",
        "device.jpg": "a device, not a regular file",
    })  # fmt: skip


def test_links_are_followed_once(folder: Path, tmp_path: Path) -> None:
    write_files(folder, [b"real/deep/x.jpg", b"1.jpg"], JPEG)
    write_files(tmp_path, [b"elsewhere/y.jpg"], JPEG)
    (folder / "a link to a file").symlink_to("1.jpg")
    (folder / "a link to a folder here").symlink_to("real")
    (folder / "a loop").symlink_to(".")
    (folder / "b link elsewhere").symlink_to(tmp_path / "elsewhere")
    (folder / "c link elsewhere").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    pictures, left_out = found_in(folder)
    assert pictures == ["1.jpg", "a link to a file", "b link elsewhere/y.jpg", "real/deep/x.jpg"]
    assert left_out == dict.fromkeys(
        ["a link to a folder here/", "a loop/", "b link elsewhere/back/", "c link elsewhere/"], READ_ALREADY
    )


def test_what_cannot_be_read_has_a_problem_as_its_answer(folder: Path) -> None:
    (folder / "broken").symlink_to("nowhere")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder / "fails").symlink_to("/proc/self/mem")  # a regular file that opens, and whose first byte cannot be read
    pictures, left_out = find_pictures([folder])
    assert left_out == []
    problems = {picture.name: picture.problem.detail for picture in pictures if picture.problem}
    assert problems == {
        "broken": "The file, or the file that the link names, does not exist.",
        "circle.jpg": "The link leads in a circle.",
        "fails": "Input/output error.",
    }


def test_a_folder_with_too_long_a_path_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "1.jpg").write_bytes(JPEG)
    with monkeypatch.context() as context:
        context.chdir(folder)
        for _ in range(18):  # 18 times 250 characters: longer than the 4,096 that a path may have
            Path("d" * 250).mkdir()
            context.chdir("d" * 250)
    pictures, _ = find_pictures([folder])
    assert [picture.path.name for picture in pictures if picture.problem] == ["d" * 250]
    (problem,) = [picture.problem for picture in pictures if picture.problem]
    assert problem.detail == "File name too long."


def test_files_of_one_name_have_different_names_in_the_table(tmp_path: Path) -> None:
    write_files(tmp_path, [b"a/1.jpg", b"b/1.jpg", b"2.jpg"], JPEG)
    assert found_in(tmp_path)[0] == ["2.jpg", "a/1.jpg", "b/1.jpg"]
    a, b, single = tmp_path / "a", tmp_path / "b", tmp_path / "2.jpg"
    assert found_in(a, b, single, single)[0] == [f"{a}/1.jpg", f"{b}/1.jpg", str(single)]


def test_the_files_of_the_run_itself_are_neither_pictures_nor_left_out(folder: Path) -> None:
    journal = folder / "r.csv.journal"
    journal.write_text("{}")
    assert find_pictures([folder], skip=[journal, folder / "r.csv.lock"]) == ([], [])
