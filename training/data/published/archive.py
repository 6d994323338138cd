"""From the published archives to the layout that is read: the table, and each picture that it names, once.

Nothing in an archive decides where a file goes: a picture's name is taken from the table, its bytes from the entry
that bears this name, and every size is bounded. What the table does not name is left where it is.
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
from training.progress import OnProgress

MAX_ENTRIES: Final = 200_000  # of one archive
MAX_TABLE_BYTES: Final = 50_000_000  # the published one has 0.6 MB
MAX_PICTURE_BYTES: Final = 20_000_000  # the published ones have 0.3 MB
MAX_TOTAL_BYTES: Final = 40_000_000_000  # the published ones have 2.8 GB
SPARE_BYTES: Final = 100_000_000  # to be left free on the disk

IMAGE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


# zipfile unpacks these piece by piece; of the other methods it would unpack all that a piece holds, however much.
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What was made of the archives."""

    folder: Path
    pictures: int
    left_out: int  # files of the archives that are neither the table nor a picture that it names


@dataclass(frozen=True)
class _Entry:
    """A file inside an archive."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def name(self) -> str:
        """How the archive calls it, without folders; some archives separate them as Windows does."""
        return PurePosixPath(self.info.filename.replace("\\", "/")).name

    def read(self, most: int) -> bytes:
        """Unpack it in memory, at most `most` bytes.

        Raises:
            ArchiveError: it is larger than that, damaged, locked by a password, or packed in an unbounded way.
        """
        where = f"{self.name} in {self.archive.filename}"
        if self.info.file_size > most:
            raise ArchiveError(f"{where} claims {self.info.file_size} bytes and may have {most}: it was not unpacked.")
        if self.info.flag_bits & 1:
            raise ArchiveError(f"{where} is locked by a password: name the published archive.")
        if self.info.compress_type not in METHODS:
            raise ArchiveError(f"{where} is packed in another way than was published: name the published archive.")
        try:
            with self.archive.open(self.info) as opened:
                return opened.read(most)  # zipfile reads no further than what the entry claims, and checks its CRC
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ArchiveError(f"{where} is damaged ({error}): download the archive again.") from error


def check_space(folder: Path, needed_bytes: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        DatasetError: fewer than `needed_bytes` and some spare are free where `folder` is, or is to be.
    """
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < needed_bytes + SPARE_BYTES:
        raise DatasetError(
            f"{(needed_bytes + SPARE_BYTES) / 1e9:.1f} GB are needed at {there} and {free / 1e9:.1f} GB are free: "
            "free some space, or name a folder on another disk."
        )


def unpack(sources: Sequence[Path], folder: Path, on_progress: OnProgress | None = None) -> Unpacked:
    """Write `folder` as `read_dataset` takes it: the table, images/, and the licence; all of it or nothing.

    Args:
        sources: ZIP archives with the pictures, and the table: a file of its own, or in one of the archives.
        folder: where the set shall be; made, with the folders above it, unless it is there and empty.
        on_progress: called as ("unpacking pictures", done, of how many).

    Raises:
        ArchiveError: a source is no ZIP archive and no table, is damaged or too large, or they do not hold the table
            and all pictures that it names.
        DatasetError: the folder is not empty, the disk has too little space, or the set cannot be trained on.
        OSError: the folder cannot be written to; nothing is left of the set.
    """
    folder = folder.absolute()
    refuse_nonempty(folder)
    with ExitStack() as opened:
        tables: dict[str, bytes] = {}  # where from -> what
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
        table = _one_table(tables)
        pictures = _find_pictures(table, entries)
        total = sum(entry.info.file_size for entry in pictures.values())
        if total > MAX_TOTAL_BYTES:
            raise ArchiveError(
                f"The pictures claim {total} bytes and may have {MAX_TOTAL_BYTES}: nothing was unpacked."
            )
        check_space(folder.parent, total)
        _write(folder, table, pictures, on_progress)
    return Unpacked(folder=folder, pictures=len(pictures), left_out=len(entries) - len(in_archives) - len(pictures))


def _open(source: Path) -> zipfile.ZipFile | None:
    """Open a ZIP archive, or nothing if the file is none."""
    if source.is_dir():
        raise ArchiveError(
            f"{source} is a folder: name the archives themselves, or use the folder as it is if {METADATA} and the "
            "pictures lie in it."
        )
    if not source.is_file():
        raise ArchiveError(f"There is no file {source}: name an archive that you have.")
    try:
        if not zipfile.is_zipfile(source):
            return None
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ArchiveError(f"{source} is a damaged ZIP archive ({error}): download it again.") from error
    if len(archive.infolist()) > MAX_ENTRIES:
        archive.close()
        raise ArchiveError(f"{source} lists more than {MAX_ENTRIES} files: it is not an archive of HAM10000.")
    return archive


def _read_table(source: Path) -> bytes:
    with source.open("rb") as opened:
        content = opened.read(MAX_TABLE_BYTES + 1)
    first = content.partition(b"\n")[0]
    if len(content) > MAX_TABLE_BYTES or not all(column.encode() in first for column in COLUMNS):
        raise ArchiveError(
            f"{source} is neither a ZIP archive nor the table {METADATA}: it may have been cut short, or be a page "
            "that a browser saved in its place. Download it again."
        )
    return content


def _one_table(tables: dict[str, bytes]) -> list[list[str]]:
    """Parse the table, header first; commas or tabs separate it, and several copies of one are one."""
    if not tables:
        raise ArchiveError(
            "The table HAM10000_metadata is in none of the files: name it with --from as well. Where an archive holds "
            "other archives, unpack it and name those."
        )
    if len(set(tables.values())) > 1:
        raise ArchiveError(f"The files hold tables that differ ({', '.join(tables)}): name one.")
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
        raise ArchiveError(f"{where} has rows of another length than its header: download it again.")
    return lines


def _find_pictures(table: list[list[str]], entries: list[_Entry]) -> dict[str, _Entry]:
    """Find the entry of each picture that the table names; copies of one in an archive are one."""
    column = table[0].index("image_id")
    wanted = dict.fromkeys(row[column].strip() for row in table[1:])
    if strange := [image_id for image_id in wanted if not IMAGE_ID.fullmatch(image_id)]:
        raise ArchiveError(
            f"The table names a picture {strange[0]!r}, which is no name for a file: it was tampered with."
        )
    found: dict[str, _Entry] = {}
    for entry in entries:
        image_id, dot, suffix = entry.name.rpartition(".")
        if not dot or suffix.lower() not in ("jpg", "jpeg") or image_id not in wanted:
            continue
        known = found.setdefault(image_id, entry)
        if (known.info.CRC, known.info.file_size) != (entry.info.CRC, entry.info.file_size):
            raise ArchiveError(f"There are two different pictures {entry.name}: name archives of one version.")
    if absent := [image_id for image_id in wanted if image_id not in found]:
        raise ArchiveError(
            f"{len(absent)} of the {len(wanted)} pictures that the table names are in none of the archives "
            f"({', '.join(absent[:3])}{', ...' if len(absent) > 3 else ''}): name the other archive as well."
        )
    return found


def _write(folder: Path, table: list[list[str]], pictures: dict[str, _Entry], on_progress: OnProgress | None) -> None:
    with atomic_folder(folder) as unfinished:
        (unfinished / IMAGES).mkdir()
        for done, (image_id, entry) in enumerate(pictures.items(), 1):
            (unfinished / IMAGES / f"{image_id}.jpg").write_bytes(entry.read(MAX_PICTURE_BYTES))
            if on_progress:
                on_progress("unpacking pictures", done, len(pictures))
        with (unfinished / METADATA).open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened, lineterminator="\n").writerows(table)
        (unfinished / FILE).write_text(TERMS, encoding="utf-8")
        read_dataset(unfinished)  # refuses here what would be refused later
