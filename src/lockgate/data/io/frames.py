"""Reads files as DataFrames, each cell by the grammar of its column's kind."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lockgate.contract.tables import Column, CSVFormat
from lockgate.data.io.csv import read_csv_texts
from lockgate.data.io.files import describe_failure, file_ending, parquet_files
from lockgate.errors import DataError, SchemaViolation

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from lockgate.contract.tables import ColumnKind, DateOrder

__all__ = [
    "FRAME_ENDINGS",
    "CSVFile",
    "is_parquet",
    "read_csv_frame",
    "read_frame",
    "read_parquet",
]

FRAME_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")


@dataclasses.dataclass(frozen=True)
class CSVFile:
    """The content of a CSV file.

    Attributes
    ----------
    frame : pandas.DataFrame
        The rows, converted to the kinds of their columns.
    columns : tuple of Column
        Kind of each column, and the order of its dates.

    """

    frame: pd.DataFrame
    columns: tuple[Column, ...]


def read_frame(
    path: Path, columns: Sequence[Column] = (), csv: CSVFormat | None = None
) -> pd.DataFrame:
    """Read a CSV or Parquet file, by its suffix.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    columns : sequence of Column
        Columns of known kind, which cells of CSV files are converted to. The kinds of
        others are inferred; where they cannot be, a column stays text.
    csv : CSVFormat, optional
        How the CSV file is written.

    Raises
    ------
    DataError
        If it has another suffix, is missing, or cannot be read.
    SchemaViolation
        If cells do not fit the kinds of their columns.

    """
    ending = file_ending(path)
    if ending not in FRAME_ENDINGS:
        raise DataError(f"{path} ends in {ending!r}, expected one of {', '.join(FRAME_ENDINGS)}")
    if ending != ".parquet":
        return read_csv_frame(path, columns, csv or CSVFormat()).frame
    return read_parquet(path)


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as Parquet files do; a folder is one of Parquet files."""
    if path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise DataError(describe_failure(path, error)) from None


def _read_folder(folder: Path) -> pa.Table:
    """Read all Parquet files of a folder; folders like ``year=2026`` are columns, of integers if
    all are whole numbers.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables: list[pa.Table] = []
    partitions: set[str] = set()
    for path in parquet_files(folder):
        with path.open("rb") as file:
            table = pq.ParquetFile(file).read()
        # a row number that pandas wrote as an index without a name
        indexes = [name for name in table.column_names if name.startswith("__index_level_")]
        table = table.drop_columns(indexes)
        for part in path.relative_to(folder).parts[:-1]:
            name, separator, value = part.partition("=")
            if separator and name not in table.column_names:
                known = value != "__HIVE_DEFAULT_PARTITION__"
                cell = urllib.parse.unquote(value) if known else None
                cells = pa.array([cell] * len(table), pa.string())
                table = table.append_column(name, cells)
                partitions.add(name)
        if tables and set(table.column_names) != set(tables[0].column_names):
            differ = sorted(set(table.column_names) ^ set(tables[0].column_names))
            raise DataError(
                f"{path.relative_to(folder)} has other columns than the files before it: "
                f"{', '.join(differ)}"
            )
        tables.append(table.replace_schema_metadata(None))
    first = tables[0].column_names
    try:
        whole = pa.concat_tables([t.select(first) for t in tables], promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(
            f"the Parquet files of {folder} hold columns of different types: {error}"
        ) from None
    for name in partitions:
        values = set(whole[name].unique().to_pylist()) - {None}
        if all(re.fullmatch("0|[1-9][0-9]{0,17}", value) for value in values):
            position = whole.column_names.index(name)
            whole = whole.set_column(position, name, whole[name].cast(pa.int64()))
    return whole


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file, or a folder of them; whole numbers stay whole beside missing values."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.is_dir():
            table = _read_folder(path)
        else:
            # a file object: a path with a scheme or a partition would be taken for more
            with path.open("rb") as file:
                table = pq.ParquetFile(file).read()
    except (ValueError, OSError) as error:
        raise DataError(describe_failure(path, error)) from None
    nullable = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
    has_missing = {column.type for column in table.columns if column.null_count}
    types = {arrow: dtype for arrow, dtype in nullable.items() if arrow in has_missing}
    frame: pd.DataFrame
    try:
        frame = table.to_pandas(types_mapper=types.get)
    except TypeError:  # dtypes in pandas' metadata that pandas cannot read
        frame = table.to_pandas(types_mapper=types.get, ignore_metadata=True)
    # columns that pandas made the index when it wrote the file; to others they are columns
    names = [str(name) for name in table.column_names]
    for name in names:
        if name in frame.index.names and name not in frame:
            frame[name] = frame.index.get_level_values(name).array
    return frame[[name for name in names if name in frame]].reset_index(drop=True)


def read_csv_frame(
    path: Path,
    columns: Sequence[Column],
    csv: CSVFormat,
    *,
    kinds: Mapping[str, str] | None = None,
    dates: DateOrder | None = None,
    keys: Collection[str | None] = (),
    strict: bool = False,
) -> CSVFile:
    """Read a CSV file; infer the kinds of columns from the cells as they are written.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    columns : sequence of Column
        Columns that are known.
    csv : CSVFormat
        How it is written.
    kinds : mapping of str to str, optional
        Kinds of further columns.
    dates : {"iso", "day-first", "month-first"}, optional
        Order of numeric dates in all other columns; by default it is inferred.
    keys : collection of str
        Columns that identify rows or groups; long numbers in them stay texts.
    strict : bool
        Whether a column whose kind cannot be inferred is an error.

    Raises
    ------
    DataError
        If it cannot be read.
    SchemaViolation
        If cells do not fit the kinds of their columns, or, where `strict`, can be read in
        two ways.

    """
    import numpy as np
    import pandas as pd

    try:
        texts = read_csv_texts(path, csv)
    except (ValueError, OSError) as error:
        raise DataError(describe_failure(path, error)) from None
    known = {column.name: column for column in columns}
    inferred, parsed = _infer_columns(
        {name: cells for name, cells in texts.items() if name not in known},
        csv,
        kinds or {},
        dates,
        keys=keys,
        strict=strict,
    )
    known |= inferred
    from lockgate.data.columns.frames import convert_columns
    from lockgate.data.columns.text_cells import parse_text

    values = {
        name: _to_series(
            known[name], parsed[name] if name in parsed else parse_text(known[name], cells, csv)
        )
        for name, cells in texts.items()
    }
    read = tuple(known[name] for name in texts)
    permissive = [dataclasses.replace(c, missing="allow", unknown="ignore") for c in read]
    frame = pd.DataFrame(convert_columns(permissive, values))
    for column in read:
        if column.kind == "boolean" and frame[column.name].dtype == np.float64:
            # truth values with gaps, as a target may have them
            truth = frame[column.name].map({1.0: True, 0.0: False}).astype(object)
            frame[column.name] = truth.where(frame[column.name].notna(), np.nan)
    return CSVFile(frame, read)


def _infer_columns(
    texts: Mapping[str, Any],
    csv: CSVFormat,
    kinds: Mapping[str, str],
    dates: DateOrder | None,
    *,
    keys: Collection[str | None],
    strict: bool,
) -> tuple[dict[str, Column], dict[str, Any]]:
    """Return columns by name, and the cells of those that inferring converted."""
    from lockgate.data.columns.text_cells import has_long_numbers, infer_text_kind

    columns: dict[str, Column] = {}
    parsed: dict[str, Any] = {}
    problems: list[str] = []
    for name, cells in texts.items():
        kind, order = kinds.get(name), dates
        try:
            if kind is None or (kind == "date" and order is None):
                inferred = infer_text_kind(name, cells, csv, dates)
                if kind is None and inferred.values is not None:
                    parsed[name] = inferred.values
                kind, order = kind or inferred.kind, cast("DateOrder", inferred.dates)
        except SchemaViolation as error:
            problems += error.problems
            kind = kind or "text"
        if kind == "integer" and name in keys and has_long_numbers(cells):
            kind = "text"
        columns[name] = Column(name, cast("ColumnKind", kind), dates=order or "iso")
    if problems and strict:
        raise SchemaViolation(problems)
    return columns, parsed


def _to_series(column: Column, parsed: Any) -> pd.Series[Any]:
    import pandas as pd

    if isinstance(parsed, list):
        return pd.Series(parsed, dtype=object, name=column.name)
    if column.kind == "category":
        parsed = parsed.dictionary_decode()  # a dictionary of pandas' must not hold missing values
    values: pd.Series[Any] = parsed.to_pandas()
    values.name = column.name
    return values.replace("", None) if column.kind == "text" else values
