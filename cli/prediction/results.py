"""The results table of `lesion predict --out`: rows go to a journal, which becomes the table at the end."""

import importlib.util
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from filelock import Timeout

from cli.prediction.picture_file import UNREADABLE
from cli.prediction.table_formats import Row, write_csv, write_parquet
from contract.errors import AnalyzerError
from contract.rows import COLUMNS
from training.file_lock import lock_file

FORMATS = (".csv", ".parquet")

Fingerprint = tuple[int, int]  # of a picture file: size in bytes, time of the last change in nanoseconds


def check_out(out: Path) -> None:
    """Check that a table can be written to `out`.

    Raises:
        AnalyzerError: `out` exists or has another suffix than those of FORMATS, or pyarrow is not installed.
    """
    if out.suffix.lower() not in FORMATS:
        raise AnalyzerError(f"{out}: name a file that ends in {' or '.join(FORMATS)}.")
    if out.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise AnalyzerError("Parquet needs pyarrow, which is not installed: pip install pyarrow, or write a .csv.")
    if out.exists():
        raise AnalyzerError(f"{out} exists: delete it, or choose another --out.")


def files_beside(out: Path) -> tuple[Path, Path]:
    """Return the paths of the journal and of the lock file of a table."""
    return out.with_name(f"{out.name}.journal"), out.with_name(f"{out.name}.lock")


class Results:
    """Writes the table `out`; until all rows are there, they are in the journal `<out>.journal`.

    Only one process at a time can write a table: a lock file next to it (`<out>.lock`) is held until the end.
    """

    def __init__(self, out: Path, *, answered_by: str) -> None:
        """Open the journal, and resume the rows of an interrupted run.

        Args:
            out: the file to write; its suffix, .csv or .parquet, chooses the format.
            answered_by: the version of the model or the URL of the API. A journal of another one is refused.

        Raises:
            AnalyzerError: `check_out` refuses `out`, another run writes the table, or the journal belongs to another
                model.
        """
        check_out(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        self._out = out
        self._journal_path, lock_path = files_beside(out)
        with ExitStack() as opened:
            try:
                opened.enter_context(lock_file(lock_path, wait=False))
            except Timeout as error:
                raise AnalyzerError(
                    f"Another run is writing {out}: wait until it ends, or choose another --out."
                ) from error
            check_out(out)  # the run that held the lock may have written it
            self._journal = opened.enter_context(self._journal_path.open("a+", encoding="utf-8"))
            self._rows = self._read_journal(answered_by)
            self._opened = opened.pop_all()  # the lock and the journal, until the end of the `with` block

    def __enter__(self) -> "Results":
        """Return the open table."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        """Close the journal; it stays on disk unless `finish` has written the table."""
        self._opened.close()

    def has(self, picture: str, fingerprint: Fingerprint) -> bool:
        """Return whether the picture has a row already, and its file has not changed since.

        A file that could not be read has none: a permission changes without a change of the file.
        """
        if picture not in self._rows:
            return False
        before, row = self._rows[picture]
        return before == fingerprint and row.get("error") != UNREADABLE

    def add(self, picture: str, fingerprint: Fingerprint, row: Row) -> None:
        """Write a row to the journal."""
        self._rows[picture] = (fingerprint, row)
        self._journal.write(f"{json.dumps([picture, fingerprint, row])}\n")
        self._journal.flush()

    def finish(self, pictures: Sequence[str]) -> list[Row]:
        """Write the table in the order of `pictures`, delete the journal, and return the rows."""
        rows = [self._rows[picture][1] for picture in pictures]
        unfinished = self._out.with_name(f".{self._out.name}.unfinished")
        try:
            (write_parquet if self._out.suffix.lower() == ".parquet" else write_csv)(rows, unfinished)
            unfinished.rename(self._out)
        finally:
            unfinished.unlink(missing_ok=True)
        self._journal_path.unlink()
        return rows

    def _read_journal(self, answered_by: str) -> dict[str, tuple[Fingerprint, Row]]:
        """Return the rows of an interrupted run, and leave the journal open for appending."""
        header = json.dumps({"answered_by": answered_by, "columns": COLUMNS})
        self._journal.seek(0)
        text = self._journal.read()
        complete = text[: text.rfind("\n") + 1]  # without the last line if the interruption cut it off
        if not complete:
            self._journal.truncate(0)
            self._journal.write(f"{header}\n")
            return {}
        first, *lines = complete.splitlines()
        if first != header:
            raise AnalyzerError(
                f"{self._journal_path} has rows of another model or version: delete it to start over, or choose "
                "another --out."
            )
        self._journal.truncate(len(complete.encode()))
        return {picture: ((size, changed), row) for picture, (size, changed), row in map(json.loads, lines)}
