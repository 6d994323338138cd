"""A table of answers: kept row by row as they come, gone on with after an interruption, and whole or not there."""

import csv
import fcntl
import importlib.util
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from contract.errors import AnalyzerError
from contract.rows import COLUMNS, PROBABILITY_COLUMNS

FORMATS = (".csv", ".parquet")
_NUMBERS = {"malignant_probability", *PROBABILITY_COLUMNS.values()}
_WHOLE_NUMBERS = {"width", "height"}

Row = dict[str, Any]
Stamp = tuple[int, int]  # bytes, and nanoseconds of the last change: a picture that has another is asked about again


class Results:
    """The table that becomes `out`; until it is whole, its rows lie in a journal beside it."""

    def __init__(self, out: Path, *, answered_by: str) -> None:
        """Open the journal, taking up what an earlier run has left in it.

        Args:
            out: the file to write, CSV or Parquet by its name.
            answered_by: the model or the API; a journal of another is refused.

        Raises:
            AnalyzerError: `out` exists or has another ending, Parquet cannot be written here, or the journal is in use
                or another's.
        """
        self._out = out
        self._journal_path = out.with_name(f"{out.name}.journal")
        if out.suffix.lower() not in FORMATS:
            raise AnalyzerError(f"{out}: name a file that ends in {' or '.join(FORMATS)}.")
        if out.exists():
            raise AnalyzerError(f"{out} exists: remove it, or choose another name.")
        if out.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
            raise AnalyzerError("Parquet needs pyarrow, which is not installed: pip install pyarrow, or write a .csv.")
        out.parent.mkdir(parents=True, exist_ok=True)
        self._journal = self._locked()
        try:
            self._rows = self._taken_up(answered_by)
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> "Results":
        """Nothing more is to be done."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        """Close the journal, which stays unless the table is whole."""
        self._journal.close()

    def has(self, picture: str, stamp: Stamp) -> bool:
        """Tell whether a picture as it lies there now has a row already."""
        return picture in self._rows and self._rows[picture][0] == stamp

    def add(self, picture: str, stamp: Stamp, row: Row) -> None:
        """Keep a row, whatever happens next."""
        self._rows[picture] = (stamp, row)
        self._journal.write(f"{json.dumps([picture, stamp, row])}\n")
        self._journal.flush()

    def finish(self, pictures: Sequence[str]) -> list[Row]:
        """Write the table in this order, take the journal away, and return the rows."""
        rows = [self._rows[picture][1] for picture in pictures]
        arriving = self._out.with_name(f".{self._out.name}.arriving")
        try:
            (write_parquet if self._out.suffix.lower() == ".parquet" else write_csv)(rows, arriving)
            arriving.rename(self._out)
        finally:
            arriving.unlink(missing_ok=True)
        self._journal_path.unlink()
        return rows

    def _locked(self) -> IO[str]:
        journal = self._journal_path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system frees it, however this process ends
        except BlockingIOError as error:
            journal.close()
            raise AnalyzerError(f"Another run is writing {self._out}: wait for it, or choose another name.") from error
        return journal

    def _taken_up(self, answered_by: str) -> dict[str, tuple[Stamp, Row]]:
        header = json.dumps({"answered_by": answered_by, "columns": COLUMNS})
        self._journal.seek(0)
        text = self._journal.read()
        whole = text[: text.rfind("\n") + 1]  # the last line may have been cut off
        if not whole:
            self._journal.truncate(0)
            self._journal.write(f"{header}\n")
            return {}
        first, *lines = whole.splitlines()
        if first != header:
            raise AnalyzerError(
                f"{self._journal_path} is of another model or version: remove it to start anew, or choose another name."
            )
        self._journal.truncate(len(whole.encode()))
        return {picture: ((size, changed), row) for picture, (size, changed), row in map(json.loads, lines)}


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Write rows under COLUMNS; what a row lacks is empty."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:  # names may be any bytes
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write rows under COLUMNS, each of its own type; what a row lacks is null."""
    import pyarrow
    from pyarrow import parquet

    def kind(column: str) -> Any:
        if column in _NUMBERS:
            return pyarrow.float64()
        return pyarrow.int32() if column in _WHOLE_NUMBERS else pyarrow.string()

    schema = pyarrow.schema([(column, kind(column)) for column in COLUMNS])
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), path)
