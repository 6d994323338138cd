"""Unpack the published archives into the layout that `read_dataset` reads.

An archive may come from an untrusted source. Its entries never decide where a file is written: the file name comes from
the table, and the bytes from the entry with this name. Every size has a limit. Files that the table does not name are
not unpacked.
"""

import csv
import io
import re
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from contract.errors import DatasetError
from training.atomic_folder import atomic_folder, refuse_nonempty
from training.data.ham10000 import COLUMNS, read_dataset
from training.data.layout import IMAGES, METADATA
from training.data.published.dataverse import TABLE_NAME
from training.data.published.errors import ArchiveError
from training.data.published.licence import FILE, TERMS
from training.progress import OnProgress, ignore_progress

MAX_ENTRIES: Final = 200_000  # in one archive
MAX_TABLE_BYTES: Final = 50_000_000  # the published table has 0.6 MB
MAX_PICTURE_BYTES: Final = 20_000_000  # the published pictures have 0.3 MB each
MAX_TOTAL_BYTES: Final = 40_000_000_000  # the published pictures have 2.8 GB
SPARE_BYTES: Final = 100_000_000  # that must stay free on the disk

IMAGE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

# zipfile limits the output of these two methods; with bzip2 and LZMA, a small piece of input can unpack to any size.
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """The result of unpacking."""

    folder: Path
    pictures: int
    left_out: int  # files in the archives that are neither the table nor a picture that it names


@dataclass(frozen=True)
class _Entry:
    """A file inside an archive."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def name(self) -> str:
        """Its name without folders; some archives separate them with backslashes."""
        return PurePosixPath(self.info.filename.replace("\\", "/")).name

    def read(self, max_bytes: int) -> bytes:
        """Unpack it in memory.

        Raises:
            ArchiveError: it has more than `max_bytes`, is damaged, has a password, or has another compression method.
        """
        where = f"{self.name} in {self.archive.filename}"
        if self.info.file_size > max_bytes:
            raise ArchiveError(
                f"{where} has {self.info.file_size} bytes and the limit is {max_bytes}: it was not unpacked."
            )
        if self.info.flag_bits & 1:
            raise ArchiveError(f"{where} has a password: name the published archive.")
        if self.info.compress_type not in METHODS:
            raise ArchiveError(f"{where} has another compression method than the published archive: name that one.")
        try:
            with self.archive.open(self.info) as opened:
                return opened.read(max_bytes)  # zipfile reads at most the declared size, and verifies the CRC
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ArchiveError(f"{where} is damaged ({error}): download the archive again.") from error


def check_space(folder: Path, needed_bytes: int) -> None:
    """Check the free disk space before the work starts.

    Args:
        folder: to be written; it need not exist.
        needed_bytes: in addition to SPARE_BYTES.

    Raises:
        DatasetError: the disk has less free space.
    """
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes + SPARE_BYTES:
        raise DatasetError(
            f"{(needed_bytes + SPARE_BYTES) / 1e9:.1f} GB are needed at {existing} and {free / 1e9:.1f} GB are free: "
            "free some space, or name a folder on another disk."
        )


def unpack(sources: Sequence[Path], folder: Path, on_progress: OnProgress = ignore_progress) -> Unpacked:
    """Write the table, `images/` and the licence to `folder`, for `read_dataset`. An error removes it.

    Args:
        sources: ZIP archives with the pictures, and the table: as a separate file or in one of the archives.
        folder: the target, absent or empty; its parent folders are made.
        on_progress: called as ("unpacking pictures", number done, total).

    Raises:
        ArchiveError: a source is neither a ZIP archive nor the table, or is damaged or too large; or the table or a
            picture that it names is missing.
        DatasetError: the folder is not empty, the disk has too little space, or the data set has problems.
        OSError: the folder cannot be written.
    """
    folder = folder.absolute()
    refuse_nonempty(folder)
    with ExitStack() as opened:
        tables: dict[str, bytes] = {}  # source -> content
        entries: list[_Entry] = []
        for source in sources:
            if (archive := _open(source)) is None:
                tables[str(source)] = _read_table(source)
            else:
                opened.enter_context(archive)
                entries += [_Entry(archive, info) for info in archive.infolist() if not info.is_dir()]
        in_archives = [entry for entry in entries if TABLE_NAME.fullmatch(entry.name)]
        for entry in in_archives:
            tables[f"{entry.archive.filename}/{entry.info.filename}"] = entry.read(MAX_TABLE_BYTES)
        table = _parse_table(tables)
        pictures = _find_pictures(table, entries)
        total = sum(entry.info.file_size for entry in pictures.values())
        if total > MAX_TOTAL_BYTES:
            raise ArchiveError(
                f"The pictures have {total} bytes and the limit is {MAX_TOTAL_BYTES}: nothing was unpacked."
            )
        check_space(folder.parent, total)
        _write(folder, table, pictures, on_progress)
    return Unpacked(folder=folder, pictures=len(pictures), left_out=len(entries) - len(in_archives) - len(pictures))


def _open(source: Path) -> zipfile.ZipFile | None:
    """Open a ZIP archive; return None if the file is not one."""
    if source.is_dir():
        raise ArchiveError(
            f"{source} is a folder: name the archives in it, or set HAM10000_DIR to it if {METADATA} and the pictures "
            "are in it."
        )
    if not source.is_file():
        raise ArchiveError(f"There is no file {source}: check the path.")
    try:
        if not zipfile.is_zipfile(source):
            return None
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ArchiveError(f"{source} is a damaged ZIP archive ({error}): download it again.") from error
    if len(archive.infolist()) > MAX_ENTRIES:
        archive.close()
        raise ArchiveError(f"{source} has more than {MAX_ENTRIES} files: it is not an archive of HAM10000.")
    return archive


def _read_table(source: Path) -> bytes:
    with source.open("rb") as opened:
        content = opened.read(MAX_TABLE_BYTES + 1)
    header = content.partition(b"\n")[0]
    if len(content) > MAX_TABLE_BYTES or not all(column.encode() in header for column in COLUMNS):
        raise ArchiveError(
            f"{source} is neither a ZIP archive nor the table {METADATA}: it may be incomplete, or a web page that the "
            "browser saved instead. Download it again."
        )
    return content


def _parse_table(tables: dict[str, bytes]) -> list[list[str]]:
    """Parse the only table, header first. Columns are separated by commas or tabs; equal copies of it are allowed."""
    if not tables:
        raise ArchiveError(
            "The table HAM10000_metadata is in none of the files: name it with --from too. If an archive contains "
            "archives, unpack it and name those."
        )
    if len(set(tables.values())) > 1:
        raise ArchiveError(f"The files have different tables ({', '.join(tables)}): name one.")
    where, content = next(iter(tables.items()))
    try:
        text = content.decode("utf-8-sig")
        separator = "\t" if "\t" in text.partition("\n")[0] else ","
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArchiveError(f"{where} is not a table ({error}): download it again.") from error
    missing = [column for column in COLUMNS if not lines or column not in lines[0]]
    if missing or len(lines) < 2:
        raise ArchiveError(f"{where} has no {', '.join(missing) or 'rows'}: it is not HAM10000's table.")
    if any(len(line) != len(lines[0]) for line in lines):
        raise ArchiveError(f"{where} has rows that are longer or shorter than its header: download it again.")
    return lines


def _find_pictures(table: list[list[str]], entries: list[_Entry]) -> dict[str, _Entry]:
    """Find the archive entry of each picture that the table names; equal copies of a picture are allowed."""
    column = table[0].index("image_id")
    wanted = dict.fromkeys(row[column].strip() for row in table[1:])
    if invalid := [image_id for image_id in wanted if not IMAGE_ID.fullmatch(image_id)]:
        raise ArchiveError(f"The table has the image_id {invalid[0]!r}, which is not a valid file name: correct it.")
    found: dict[str, _Entry] = {}
    for entry in entries:
        image_id, dot, suffix = entry.name.rpartition(".")
        if not dot or suffix.lower() not in ("jpg", "jpeg") or image_id not in wanted:
            continue
        first = found.setdefault(image_id, entry)
        if (first.info.CRC, first.info.file_size) != (entry.info.CRC, entry.info.file_size):
            raise ArchiveError(f"There are two different pictures {entry.name}: name archives of the same version.")
    if missing := [image_id for image_id in wanted if image_id not in found]:
        raise ArchiveError(
            f"{len(missing)} of the {len(wanted)} pictures that the table names are in none of the archives "
            f"({', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}): name the other archive too."
        )
    return found


def _write(folder: Path, table: list[list[str]], pictures: dict[str, _Entry], on_progress: OnProgress) -> None:
    with atomic_folder(folder) as partial:
        (partial / IMAGES).mkdir()
        for done, (image_id, entry) in enumerate(pictures.items(), 1):
            (partial / IMAGES / f"{image_id}.jpg").write_bytes(entry.read(MAX_PICTURE_BYTES))
            on_progress("unpacking pictures", done, len(pictures))
        with (partial / METADATA).open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened, lineterminator="\n").writerows(table)
        (partial / FILE).write_text(TERMS, encoding="utf-8")
        read_dataset(partial)  # a problem in the data set is an error now, and not in a later command
