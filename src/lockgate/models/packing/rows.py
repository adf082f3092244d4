"""Converts rows from users (frames, arrays, texts) to tables, and checks estimators."""

from __future__ import annotations

import dataclasses
import decimal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lockgate.contract.tables import Column, CSVFormat, Table
from lockgate.errors import DataError, NotCovered, UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from lockgate.data.columns.inputs import ColumnInput

__all__ = [
    "Rows",
    "check_fitted",
    "detect_form",
    "read_as_fitted",
    "read_as_written",
    "read_table_of",
    "table_from",
]

Rows: TypeAlias = "pd.DataFrame | pd.Series[Any] | ArrayLike"
"""Rows as estimators take them: a frame, a series of texts, or an array."""


def check_fitted(estimator: BaseEstimator, frame: pd.DataFrame) -> None:
    """Reject an estimator that is not fitted, or was fitted on another number of columns."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        class_name = type(estimator).__name__
        raise NotCovered(f"{class_name} is not fitted; call fit before packing it") from None
    except TypeError:
        raise NotCovered(f"{type(estimator).__name__} is not an estimator") from None
    count = getattr(estimator, "n_features_in_", frame.shape[1])
    if count != frame.shape[1]:
        raise UsageError(f"X: expected {count} columns, as in fit, got {frame.shape[1]}")


def table_from(X: Rows, y: ArrayLike | None = None) -> tuple[Table, pd.DataFrame]:
    """Make a table of rows as an estimator takes them, and a frame for its predictions."""
    import pandas as pd

    from lockgate.data.schema import table

    frame = _frame(X)
    typed = {
        str(column): "category"
        for column in frame
        if not pd.api.types.is_numeric_dtype(frame[column])
        and not pd.api.types.is_datetime64_any_dtype(frame[column])
        and not _holds_decimals(frame[column])
    }
    with_target = frame
    target = None
    if y is not None:
        target = str(getattr(y, "name", None) or "target")
        if target in frame:
            raise DataError(f"the target {target} is also a column of X; remove it from X")
        values = np.asarray(y).reshape(-1)
        if len(values) != len(frame):
            raise DataError(f"y: expected {len(frame)} values, as X has rows, got {len(values)}")
        with_target = frame.assign(**{target: values})
    typed_table = table(with_target, target=target, kinds=typed)
    return typed_table, frame.reset_index(drop=True)


def _holds_decimals(values: pd.Series[Any]) -> bool:
    """Whether a column holds decimal numbers, as databases store money."""
    return (
        values.dtype == object
        and all(isinstance(cell, decimal.Decimal) for cell in values.dropna())
        and bool(values.notna().any())
    )


def _frame(X: Rows) -> pd.DataFrame:
    import pandas as pd

    if isinstance(X, pd.Series):
        return X.to_frame(str(X.name or "text"))
    to_pandas = getattr(X, "to_pandas", None)
    if to_pandas is not None:
        X = to_pandas()
    if not isinstance(X, pd.DataFrame):
        array = np.asarray(X)
        if array.ndim == 1 and len(array):
            return pd.DataFrame({"text": array.astype(object)})
        if array.ndim != 2:
            raise DataError(
                "X: expected a DataFrame, a Series of texts, or an array of rows and columns, got "
                f"{type(X).__name__}; for sparse rows, use X.toarray()"
            )
        X = pd.DataFrame(array, columns=[f"x{k}" for k in range(array.shape[1])]).infer_objects()
    frame: pd.DataFrame = X
    return frame.rename(columns=str)


def read_table_of(
    path: Path,
    features: list[str],
    target: str | None,
    inputs: Sequence[ColumnInput],
    csv: CSVFormat | None,
) -> Table:
    """Read the rows as predictions will read them; `csv` says how CSV files are written."""
    from lockgate.data.io.frames import is_parquet, read_frame

    columns = [
        Column(name=c.name, kind=c.kind, categories=c.categories, bits=c.bits)  # type: ignore[arg-type]  # the header was checked
        for c in inputs
    ]
    csv = None if is_parquet(path) else csv or CSVFormat()
    frame = read_frame(path, columns, csv)
    missing = [name for name in [*features, *([target] if target else [])] if name not in frame]
    if missing:
        raise UsageError(f"{path} has no column {', '.join(missing)}")
    table = table_from(frame[features], frame[target] if target else None)[0]
    if csv is None:
        return table
    return dataclasses.replace(table, schema=dataclasses.replace(table.schema, csv=csv))


def detect_form(path: Path, settings: Mapping[str, Any]) -> CSVFormat | None:
    """Return how a CSV file is written; None for a Parquet file, which has no settings."""
    from lockgate.data.io.csv_detection import detect_csv
    from lockgate.data.io.frames import is_parquet

    if not is_parquet(path):
        return detect_csv(path, settings)
    if settings:
        raise UsageError(f"{path} is a Parquet file, and --set is for CSV files")
    return None


def read_as_written(path: Path, csv: CSVFormat | None) -> pd.DataFrame:
    """Read rows with the kinds that their cells are written in: 01067 is a text."""
    from lockgate.data.io.frames import read_frame

    return read_frame(path, csv=csv)


def read_as_fitted(path: Path, csv: CSVFormat | None) -> pd.DataFrame:
    """Read rows as most who fit a model read them: with pandas' defaults.

    The packed model is compared with the original on these rows. Its bundle is made from the
    rows as predictions read them.
    """
    import pandas as pd

    from lockgate.data.io.csv import delimiter_of
    from lockgate.data.io.files import describe_failure, file_ending
    from lockgate.data.io.frames import FRAME_ENDINGS

    ending = file_ending(path)
    if ending not in FRAME_ENDINGS:
        raise DataError(f"{path} ends in {ending!r}, expected one of {', '.join(FRAME_ENDINGS)}")
    try:
        if csv is None:
            return pd.read_parquet(path)
        texts = CSVFormat().missing
        return pd.read_csv(
            path,
            sep=delimiter_of(path, csv),
            encoding=csv.encoding,
            decimal=csv.decimal,
            thousands=csv.thousands or None,
            quotechar=csv.quote or '"',
            quoting=0 if csv.quote else 3,  # of the module csv: QUOTE_MINIMAL, QUOTE_NONE
            na_values=None if csv.missing == texts else list(csv.missing),
            keep_default_na=csv.missing == texts,
        )
    except (ValueError, OSError) as error:
        raise DataError(describe_failure(path, error)) from None
