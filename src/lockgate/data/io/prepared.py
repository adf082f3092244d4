"""The files of split rows that the load stage writes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lockgate.errors import DataError

__all__ = ["FACTS_FILE", "prepared_file", "read_with_left_out", "write_left_out"]

FACTS_FILE = "facts.json"
"""File with the schema and the counts of the split rows."""

LEFT_OUT = "test-left-out"
"""Name of the columns of the test rows that the model leaves out."""


def prepared_file(project: Path, name: str) -> Path:
    """Return the file of a project's ``train``, ``tune`` or ``test`` rows, or of their facts."""
    file_name = name if name == FACTS_FILE else f"{name}.parquet"
    return project / "data" / "prepared" / file_name


def write_left_out(columns: pd.DataFrame, project: Path) -> None:
    """Write the columns of the test rows that the model leaves out.

    Nothing is known of them, so that one that Parquet cannot hold is written as text.
    """
    arrays = {str(name): _to_array(columns[name]) for name in columns}
    path = prepared_file(project, LEFT_OUT)
    temporary_path = path.with_name(f".{path.name}.new")
    metadata = {"rows": str(len(columns))}
    table = pa.table(arrays).replace_schema_metadata(metadata)
    pq.write_table(table, temporary_path)
    temporary_path.replace(path)


def read_with_left_out(test: pd.DataFrame, project: Path) -> pd.DataFrame:
    """Return a project's test rows with the columns that the model leaves out.

    Raises
    ------
    DataError
        If their file is missing, damaged, or of other rows.

    """
    path = prepared_file(project, LEFT_OUT)
    try:
        table = pq.read_table(path)
        rows = int((table.schema.metadata or {})[b"rows"])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read ({error}); run dvc repro load") from None
    if rows != len(test):
        raise DataError(
            f"{path} has {rows} rows, and the test rows are {len(test)}: they are of different "
            "runs; run dvc repro --force load"
        )
    left_out: pd.DataFrame = table.to_pandas()
    left_out.index = test.index
    return pd.concat([test, left_out], axis=1)


def _to_array(values: pd.Series) -> pa.Array:
    try:
        array = pa.Array.from_pandas(values)
        pq.write_table(pa.table({"column": array}), pa.BufferOutputStream())
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        texts = [
            None if missing else str(value)
            for value, missing in zip(values.tolist(), values.isna().tolist(), strict=True)
        ]
        return pa.array(texts, pa.string())
    return array
