"""Local archives are unpacked completely, and a malicious archive does no harm."""

import io
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from contract.errors import DatasetError
from tests.training.data.dataset_folder import DatasetFolder
from tests.training.data.dataverse import zipped
from training.data.ham10000 import read_dataset
from training.data.layout import METADATA
from training.data.published.archive import MAX_PICTURE_BYTES, check_space, unpack
from training.data.published.errors import ArchiveError


@pytest.fixture
def pictures(folder: DatasetFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder.path / "images").iterdir())}


@pytest.fixture
def table(folder: DatasetFolder) -> bytes:
    return folder.table.read_bytes()


def written(tmp_path: Path, **files: bytes) -> list[Path]:
    """Write files; two underscores in a name become a dot."""
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


def test_kaggles_archive_gives_the_published_data_set_without_its_other_files(
    folder: DatasetFolder, pictures: dict[str, bytes], table: bytes, tmp_path: Path
) -> None:
    names = sorted(pictures)
    parts = {f"HAM10000_images_part_{1 + number % 2}/{name}": pictures[name] for number, name in enumerate(names)}
    repeated = {
        f"ham10000_images_part_1/{name}": pictures[name] for name in names[::2]
    }  # Kaggle has some folders twice
    others = {"hmnist_28_28_L.csv": b"pixel0000,label\n1,2\n", "__MACOSX/._ISIC_1.jpg": b"?", "other/new.jpg": b"?"}
    sources = written(tmp_path, archive__zip=zipped({METADATA: table, **parts, **repeated, **others},
                                                    zipfile.ZIP_DEFLATED))  # fmt: skip
    reports: list[tuple[str, int, int]] = []
    unpacked = unpack(sources, tmp_path / "set", lambda *report: reports.append(report))
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256
    assert {path.name: path.read_bytes() for path in (tmp_path / "set" / "images").iterdir()} == pictures
    assert (unpacked.pictures, unpacked.left_out) == (len(names), len(repeated) + len(others))
    assert reports == [("unpacking pictures", done, len(names)) for done in range(1, len(names) + 1)]


@pytest.mark.parametrize("name", ["HAM10000_metadata", "HAM10000_metadata__csv", "ham__tab"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_the_table_may_have_any_name_and_commas_or_tabs(
    folder: DatasetFolder, pictures: dict[str, bytes], table: bytes, tmp_path: Path, name: str, separator: str
) -> None:
    sources = written(tmp_path, pictures__zip=zipped(pictures), **{name: table.replace(b",", separator.encode())})
    unpack(sources, tmp_path / "set")
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256


def test_a_table_may_have_quotes_a_byte_order_mark_and_more_columns(
    folder: DatasetFolder, pictures: dict[str, bytes], table: bytes, tmp_path: Path
) -> None:
    lines = [f'"{line}","vidir"'.replace(",", '"\t"') for line in table.decode().splitlines()]
    quoted = "\r\n".join(["\ufeff" + lines[0].replace("vidir", "dataset"), *lines[1:]]).replace('""', '"')
    sources = written(tmp_path, pictures__zip=zipped(pictures), table__tab=quoted.encode())
    unpack(sources, tmp_path / "set")
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256


@pytest.mark.parametrize("prefix", ["../../", "/", "C:\\", "..\\..\\", "a/../../"])
def test_paths_in_an_archive_do_not_decide_where_files_are_written(
    folder: DatasetFolder, pictures: dict[str, bytes], table: bytes, tmp_path: Path, prefix: str
) -> None:
    outside = tmp_path / "deep" / "er"
    outside.mkdir(parents=True)
    sources = written(
        tmp_path, p__zip=zipped({prefix + name: content for name, content in pictures.items()}), t__csv=table
    )
    before = {path for path in tmp_path.rglob("*") if folder.path not in path.parents}
    unpack(sources, outside / "set")
    after = {path for path in tmp_path.rglob("*") if folder.path not in path.parents}
    assert all(path.is_relative_to(outside / "set") for path in after - before)
    assert read_dataset(outside / "set").sha256 == folder.read().sha256


def test_a_symlink_in_an_archive_becomes_an_ordinary_file(
    folder: DatasetFolder, pictures: dict[str, bytes], table: bytes, tmp_path: Path
) -> None:
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
def test_a_path_as_image_id_is_refused(pictures: dict[str, bytes], table: bytes, tmp_path: Path, image_id: str) -> None:
    first = next(iter(pictures)).removesuffix(".jpg").encode()
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table.replace(first, image_id.encode()))
    assert "not a valid file name" in refusal(sources, tmp_path / "set")


def test_a_picture_above_the_size_limit_is_refused(pictures: dict[str, bytes], table: bytes, tmp_path: Path) -> None:
    bomb = dict(pictures) | {next(iter(pictures)): bytes(MAX_PICTURE_BYTES + 1)}
    packed = zipped(bomb, zipfile.ZIP_DEFLATED)
    assert "it was not unpacked" in refusal(written(tmp_path, p__zip=packed, t__csv=table), tmp_path / "set")


def test_a_picture_with_a_false_size_is_refused(pictures: dict[str, bytes], table: bytes, tmp_path: Path) -> None:
    name = next(iter(pictures))
    packed = zipped(dict(pictures) | {name: bytes(MAX_PICTURE_BYTES * 2)}, zipfile.ZIP_DEFLATED)
    packed = packed.replace(struct.pack("<L", MAX_PICTURE_BYTES * 2), struct.pack("<L", 1000))
    message = refusal(written(tmp_path, p__zip=packed, t__csv=table), tmp_path / "set")
    assert f"{name} in" in message
    assert "is damaged" in message


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_method_without_a_size_limit_is_refused(
    pictures: dict[str, bytes], table: bytes, tmp_path: Path, method: int
) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures, method), t__csv=table)
    assert "has another compression method" in refusal(sources, tmp_path / "set")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_archive_is_refused(pictures: dict[str, bytes], table: bytes, tmp_path: Path, method: int) -> None:
    packed = bytearray(zipped(pictures, method))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xa5" * 40
    sources = written(tmp_path, p__zip=bytes(packed), t__csv=table)
    assert "damaged" in refusal(sources, tmp_path / "set")


def test_an_archive_with_a_password_is_refused(pictures: dict[str, bytes], table: bytes, tmp_path: Path) -> None:
    packed = bytearray(zipped(pictures))
    for signature, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = packed.find(signature)
        packed[at + flags] |= 1
    assert "has a password" in refusal(written(tmp_path, p__zip=bytes(packed), t__csv=table), tmp_path / "set")


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"\x1f\x8b\x08", b"image_id,dx\n1,2\n"])
def test_a_file_that_is_neither_an_archive_nor_the_table_is_refused(
    pictures: dict[str, bytes], tmp_path: Path, content: bytes
) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures), strange=content)
    assert "neither a ZIP archive nor the table" in refusal(sources, tmp_path / "set")


def test_a_truncated_archive_is_refused(pictures: dict[str, bytes], table: bytes, tmp_path: Path) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures)[:-2000], t__csv=table)
    assert "Download it again" in refusal(sources, tmp_path / "set")


def test_a_missing_table_or_picture_is_named(pictures: dict[str, bytes], table: bytes, tmp_path: Path) -> None:
    first = dict(list(pictures.items())[:-3])
    sources = written(tmp_path, p__zip=zipped(first))
    assert "table HAM10000_metadata is in none of the files" in refusal(sources, tmp_path / "set")
    sources += written(tmp_path, t__csv=table)
    message = refusal(sources, tmp_path / "set")
    assert f"3 of the {len(pictures)} pictures" in message
    assert list(pictures)[-1].removesuffix(".jpg") in message


def test_two_different_tables_or_pictures_of_one_name_are_refused(
    pictures: dict[str, bytes], table: bytes, tmp_path: Path
) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table, u__csv=table + table.splitlines()[1] + b"\n")
    assert "different tables" in refusal(sources, tmp_path / "set")
    name = next(iter(pictures))
    sources = written(tmp_path, p__zip=zipped(pictures), q__zip=zipped({name: b"another"}), t__csv=table)
    assert f"two different pictures {name}" in refusal(sources, tmp_path / "set")


def test_a_table_with_problems_leaves_no_data_set(pictures: dict[str, bytes], table: bytes, tmp_path: Path) -> None:
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table.replace(b",vasc,", b",wart,"))
    with pytest.raises(DatasetError, match='names "wart"'):
        unpack(sources, tmp_path / "set")
    assert not list(tmp_path.glob("*set*"))
    assert not list(tmp_path.glob(".partial-*"))


def test_a_source_that_is_a_folder_or_does_not_exist_is_named(folder: DatasetFolder, tmp_path: Path) -> None:
    assert "is a folder: name the archives" in refusal([folder.path], tmp_path / "set")
    assert "There is no file" in refusal([tmp_path / "nowhere.zip"], tmp_path / "set")


def test_an_interrupt_leaves_an_empty_folder_that_the_next_run_fills(
    pictures: dict[str, bytes], table: bytes, tmp_path: Path
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    (tmp_path / "set").mkdir()
    sources = written(tmp_path, p__zip=zipped(pictures), t__csv=table)
    with pytest.raises(KeyboardInterrupt):
        unpack(sources, tmp_path / "set", interrupt)
    assert list((tmp_path / "set").iterdir()) == []
    assert not list(tmp_path.glob(".partial-*"))
    assert unpack(sources, tmp_path / "set").pictures == len(pictures)


def test_a_full_disk_is_reported_before_the_work(tmp_path: Path) -> None:
    check_space(tmp_path / "does" / "not" / "exist", 1)
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(DatasetError, match="free some space, or name a folder on another disk"):
        check_space(tmp_path, free + 10**9)
