"""Tables from files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.contract.tables import CSVFormat, Table
from lockgate.data.io.csv import read_csv_header
from lockgate.data.io.frames import is_parquet, read_csv_frame, read_parquet
from lockgate.data.schema import Roles, build_table, check_kinds, compute_digest

if TYPE_CHECKING:
    from lockgate.contract.tables import DateOrder

__all__ = ["read_table"]


def read_table(
    path: str | Path,
    *,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    group: str | None = None,
    value: str | None = None,
    weight: str | None = None,
    horizon_days: int = 0,
    kinds: Mapping[str, str] | None = None,
    dates: DateOrder | None = None,
    csv: CSVFormat | None = None,
) -> Table:
    r"""Read a CSV or Parquet file as a table, as loaders do.

    The kinds of a CSV file's columns are inferred from the cells as they are written: numbers
    with leading zeros are categories, and cells that can be read in two ways are an error.

    Parameters
    ----------
    path : path-like
        A Parquet file, or a CSV file, which may be compressed (``.gz``).
    target : str or sequence of str, optional
        Column to predict, or several columns of numbers that a model predicts together.
    id, time, group, value, weight : str, optional
        Column with that role; columns without a role are features.
    horizon_days : int
        Days after `time` until the target is known.
    kinds : mapping of str to str, optional
        Kinds of columns where they should not be inferred.
    dates : {"iso", "day-first", "month-first"}, optional
        How texts like 02/07/2024 are read; by default in the only order in which all dates
        of a column exist.
    csv : CSVFormat, optional
        How a CSV file is written: encoding, delimiter, decimal separator, missing values.

    Raises
    ------
    DataError
        If the file cannot be read.
    SchemaViolation
        If a role has an unknown column, or cells are invalid or can be read in two ways.

    Examples
    --------
    >>> import lockgate, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = path.write_text("zip;price\n01067;1,50\n80331;2,75\n")
    >>> table = lockgate.read_table(path, csv=lockgate.CSVFormat(delimiter=";", decimal=","))
    >>> table.frame.to_dict("records")[0], table.schema["zip"].kind
    ({'zip': '01067', 'price': 1.5}, 'category')

    """
    path, csv, chosen = Path(path), csv or CSVFormat(), dict(kinds or {})
    roles: Roles = {"target": target, "id": id, "time": time, "group": group}
    roles = {**roles, "value": value, "weight": weight}
    if is_parquet(path):
        table = build_table(
            read_parquet(path), roles, chosen, horizon_days=horizon_days, dates=dates, csv=csv
        )
    else:
        header = read_csv_header(path, csv)
        if time in header:
            chosen.setdefault(time, "date")
        check_kinds(chosen, header)
        content = read_csv_frame(
            path, (), csv, kinds=chosen, dates=dates, keys=(id, group), strict=True
        )
        table = build_table(
            content.frame,
            roles,
            {column.name: column.kind for column in content.columns},
            horizon_days=horizon_days,
            dates={column.name: column.dates for column in content.columns},
            csv=csv,
        )
    return dataclasses.replace(table, digest=compute_digest(table.frame, table.schema))
