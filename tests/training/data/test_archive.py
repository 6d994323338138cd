"""Archives that someone hands over: the set comes out whole, and nothing in them can do harm."""

import io
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from contract.errors import DatasetError
from tests.training.data.dataverse import zipped
from training.data.ham10000 import read_dataset
from training.data.layout import METADATA
from training.data.published.archive import MAX_PICTURE_BYTES, check_space, unpack
from training.data.published.errors import ArchiveError


@pytest.fixture
def pictures(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder.path / "images").iterdir())}


@pytest.fixture
def table(folder) -> bytes:
    return folder.table.read_bytes()


def written(tmp_path: Path, **files: bytes) -> list[Path]:
    """Put files on the disk; two underscores stand for a dot."""
    paths = [tmp_path / name.replace("__", ".") for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    return paths


def refusal(sources: list[Path], folder: Path) -> str:
    before = set(folder.parent.iterdir())
    with pytest.raises(ArchiveError) as caught:
        unpack(sources, folder)
    assert set(folder.parent.iterdir()) == before
    return str(caught.value)


def test_kaggles_archive_gives_the_published_set_and_what_is_strange_in_it_stays_out(
    folder, pictures, table, tmp_path: Path
) -> None:
    names = sorted(pictures)
    parts = {f"HAM10000_images_part_{1 + number % 2}/{name}": pictures[name] for number, name in enumerate(names)}
    again = {f"ham10000_images_part_1/{name}": pictures[name] for name in names[::2]}  # it holds some folders twice
    strays = {"hmnist_28_28_L.csv": b"pixel0000,label\n1,2\n", "__MACOSX/._ISIC_1.jpg": b"?", "other/new.jpg": b"?"}
    sources = written(tmp_path, archive__zip=zipped({METADATA: table, **parts, **again, **strays},
                                                    zipfile.ZIP_DEFLATED))  # fmt: skip
    told: list[tuple[str, int, int]] = []
    unpacked = unpack(sources, tmp_path / "set", lambda *report: told.append(report))
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256
    assert {path.name: path.read_bytes() for path in (tmp_path / "set" / "images").iterdir()} == pictures
    assert (unpacked.pictures, unpacked.left_out) == (len(names), len(again) + len(strays))
    assert told == [("unpacking pictures", done, len(names)) for done in range(1, len(names) + 1)]


@pytest.mark.parametrize("name", ["HAM10000_metadata", "HAM10000_metadata__csv", "ham__tab"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_the_table_is_taken_with_commas_or_tabs_under_any_name(
    folder, pictures, table, tmp_path, name: str, separator: str
) -> None:
    sources = written(tmp_path, pictures__zip=zipped(pictures), **{name: table.replace(b",", separator.encode())})
    unpack(sources, tmp_path / "set")
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256


def test_a_table_with_quotes_a_byte_order_mark_and_further_columns_is_taken(folder, pictures, table, tmp_path) -> None:
    lines = [f'"{line}","vidir"'.replace(",", '"\t"') for line in table.decode().splitlines()]
    quoted = "\r\n".join(["\ufeff" + lines[0].replace("vidir", "dataset"), *lines[1:]]).replace('""', '"')
    sources = written(tmp_path, pictures__zip=zipped(pictures), table__tab=quoted.encode())
    unpack(sources, tmp_path / "set")
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256


@pytest.mark.parametrize("prefix", ["../../", "/", "C:\\", "..\\..\\", "a/../../"])
def test_where_an_archive_wants_its_files_to_go_does_not_matter(folder, pictures, table, tmp_path, prefix) -> None:
    outside = tmp_path / "deep" / "er"
    outside.mkdir(parents=True)
    sources = written(tmp_path, p__zip=zipped({prefix + name: of for name, of in pictures.items()}), t__csv=table)
    before = {path for path in tmp_path.rglob("*") if folder.path not in path.parents}
    unpack(sources, outside / "set")
    after = {path for path in tmp_path.rglob("*") if folder.path not in path.parents}
    assert all(path.is_relative_to(outside / "set") for path in after - before)
    assert read_dataset(outside / "set").sha256 == folder.read().sha256


def test_a_link_in_an_archive_is_no_way_out(folder, pictures, table, tmp_path: Path) -> None:
    name = next(iter(pictures))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for other, content in pictures.items():
            link = zipfile.ZipInfo(other)
            link.external_attr = (0o120777 if other == name else 0o100644) << 16
            archive.writestr(link, str(folder.table) if other == name else content)
    unpack(written(tmp_path, p__zip=packed.getvalue(), t__csv=table), tmp_path / "set")
    assert not (tmp_path / "set" / "images" / name).is_symlink()
    assert (tmp_path / "set" / "images" / name).read_bytes() == str(folder.table).encode()


@pytest.mark.parametrize("image_id", ["../../escaped", "a/b", "", ".hidden", "nul\0", "x" * 101])
def test_a_table_that_names_a_path_is_refused(pictures, table, tmp_path: Path, image_id: str) -> None:
    first = next(iter(pictures)).removesuffix(".jpg").encode()
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table.replace(first, image_id.encode()))
    assert "no name for a file" in refusal(sources, tmp_path / "set")


def test_a_picture_that_unpacks_to_more_than_any_picture_has_is_refused(pictures, table, tmp_path: Path) -> None:
    bomb = dict(pictures) | {next(iter(pictures)): bytes(MAX_PICTURE_BYTES + 1)}
    packed = zipped(bomb, zipfile.ZIP_DEFLATED)
    assert "it was not unpacked" in refusal(written(tmp_path, p__zip=packed, t__csv=table), tmp_path / "set")


def test_a_picture_that_lies_about_its_size_is_no_larger_than_it_says(pictures, table, tmp_path: Path) -> None:
    name = next(iter(pictures))
    packed = zipped(dict(pictures) | {name: bytes(MAX_PICTURE_BYTES * 2)}, zipfile.ZIP_DEFLATED)
    packed = packed.replace(struct.pack("<L", MAX_PICTURE_BYTES * 2), struct.pack("<L", 1000))
    assert f"{name} in" in (told := refusal(written(tmp_path, p__zip=packed, t__csv=table), tmp_path / "set"))
    assert "is damaged" in told


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_whose_unpacking_cannot_be_bounded_is_refused(pictures, table, tmp_path: Path, method: int) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures, method), t__csv=table)
    assert "packed in another way" in refusal(sources, tmp_path / "set")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_spoiled_archive_is_refused(pictures, table, tmp_path: Path, method: int) -> None:
    packed = bytearray(zipped(pictures, method))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xa5" * 40
    sources = written(tmp_path, p__zip=bytes(packed), t__csv=table)
    assert "damaged" in refusal(sources, tmp_path / "set")


def test_an_archive_locked_by_a_password_is_told(pictures, table, tmp_path: Path) -> None:
    packed = bytearray(zipped(pictures))
    for signature, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = packed.find(signature)
        packed[at + flags] |= 1
    assert "locked by a password" in refusal(written(tmp_path, p__zip=bytes(packed), t__csv=table), tmp_path / "set")


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"\x1f\x8b\x08", b"image_id,dx\n1,2\n"])
def test_what_is_neither_an_archive_nor_the_table_is_refused(pictures, tmp_path: Path, content: bytes) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures), strange=content)
    assert "neither a ZIP archive nor the table" in refusal(sources, tmp_path / "set")


def test_an_archive_that_was_cut_short_is_refused(pictures, table, tmp_path: Path) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures)[:-2000], t__csv=table)
    assert "Download it again" in refusal(sources, tmp_path / "set")


def test_archives_without_the_table_or_without_all_pictures_say_what_is_missing(pictures, table, tmp_path) -> None:
    first = dict(list(pictures.items())[:-3])
    sources = written(tmp_path, p__zip=zipped(first))
    assert "table HAM10000_metadata is in none of the files" in refusal(sources, tmp_path / "set")
    sources += written(tmp_path, t__csv=table)
    told = refusal(sources, tmp_path / "set")
    assert f"3 of the {len(pictures)} pictures" in told
    assert list(pictures)[-1].removesuffix(".jpg") in told


def test_two_versions_of_the_table_or_of_a_picture_are_refused(pictures, table, tmp_path: Path) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table, u__csv=table + table.splitlines()[1] + b"\n")
    assert "tables that differ" in refusal(sources, tmp_path / "set")
    name = next(iter(pictures))
    sources = written(tmp_path, p__zip=zipped(pictures), q__zip=zipped({name: b"another"}), t__csv=table)
    assert f"two different pictures {name}" in refusal(sources, tmp_path / "set")


def test_a_table_that_cannot_be_trained_on_leaves_no_set(pictures, table, tmp_path: Path) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table.replace(b",vasc,", b",wart,"))
    with pytest.raises(DatasetError, match='names "wart"'):
        unpack(sources, tmp_path / "set")
    assert not list(tmp_path.glob("*set*"))


def test_a_source_that_is_a_folder_or_is_not_there_is_named(folder, tmp_path: Path) -> None:
    assert "is a folder: name the archives" in refusal([folder.path], tmp_path / "set")
    assert "There is no file" in refusal([tmp_path / "nowhere.zip"], tmp_path / "set")


def test_an_interrupt_leaves_nothing_and_an_empty_folder_is_filled(pictures, table, tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    (tmp_path / "set").mkdir()
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table)
    with pytest.raises(KeyboardInterrupt):
        unpack(sources, tmp_path / "set", interrupt)
    assert list((tmp_path / "set").iterdir()) == []
    assert not list(tmp_path.glob("*.partial"))
    assert unpack(sources, tmp_path / "set").pictures == len(pictures)


def test_a_disk_that_cannot_hold_it_is_told_in_gigabytes(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "yet" / "there", 1)
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(DatasetError, match="free some space, or name a folder on another disk"):
        check_space(tmp_path, free + 10**9)
