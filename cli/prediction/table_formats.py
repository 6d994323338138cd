"""The formats of a results table: CSV and Parquet. Text from outside is escaped by the rules of `cli.escape`."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cli.escape import escape_cell, escape_name
from contract.rows import COLUMNS, PROBABILITY_COLUMNS

_NUMBERS = {"malignant_probability", *PROBABILITY_COLUMNS.values()}
_WHOLE_NUMBERS = {"width", "height"}
_TRUTHS = {"unfamiliar"}

Row = dict[str, Any]


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Write rows as CSV in UTF-8 with the columns COLUMNS; missing values are empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(_escaped(row, escape_cell) for row in rows)


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write rows as Parquet with the columns COLUMNS; missing values are null."""
    import pyarrow
    from pyarrow import parquet

    def column_type(column: str) -> Any:
        if column in _NUMBERS:
            return pyarrow.float64()
        if column in _TRUTHS:
            return pyarrow.bool_()
        return pyarrow.int32() if column in _WHOLE_NUMBERS else pyarrow.string()

    schema = pyarrow.schema([(column, column_type(column)) for column in COLUMNS])
    table = pyarrow.Table.from_pylist([_escaped(row, escape_name) for row in rows], schema=schema)
    parquet.write_table(table, path)


def _escaped(row: Row, escape: Callable[[str], str]) -> Row:
    return {column: escape(value) if isinstance(value, str) else value for column, value in row.items()}
