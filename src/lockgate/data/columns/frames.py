"""Cells of DataFrames: to text, to dates, to the kind of their column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lockgate.errors import SchemaViolation

__all__ = ["ISO_DATE", "convert_to_kind", "convert_to_text", "parse_date"]


def parse_date(text: str) -> pd.Timestamp:
    """Read a date of the configuration; one with a time zone becomes UTC."""
    try:
        timestamp = pd.Timestamp(text)
        return (
            timestamp if timestamp.tzinfo is None else timestamp.tz_convert("UTC").tz_localize(None)
        )
    except ValueError:
        raise SchemaViolation([f"{text!r} is no date; write it like 1998-01-31"]) from None


ISO_DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?"
"""Texts that all look like this are dates."""


def convert_to_kind(values: pd.Series[Any], kind: str) -> pd.Series[Any]:
    """Return a column as its kind holds it, the same at training and at serving."""
    if kind == "number":
        return pd.to_numeric(values).astype("float64")
    if kind == "integer":
        return pd.to_numeric(values)
    if kind == "date":
        return _convert_dates(values)
    if kind == "boolean":
        return values if values.hasnans else values.astype(bool)
    return convert_to_text(values)


def convert_to_text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Write each value as text; 3 and 3.0 are one category, a gap stays a gap.

    A column of whole numbers with a gap is read as floats, without one as
    integers: the categories must be the same.
    """
    if values.dtype.kind == "f":
        integral = values.where(values.notna(), 0.0) % 1 == 0
        texts = values.astype(object).where(~integral, values.fillna(0).astype("int64")).map(str)
    else:
        texts = values.astype(object).map(str)
    return texts.where(values.notna(), np.nan).astype(object)


def _convert_dates(values: pd.Series[Any]) -> pd.Series[Any]:
    """Read dates; those with a time zone become UTC, so that all can be compared."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        if pd.api.types.is_numeric_dtype(values) and values.notna().any():
            raise ValueError("numbers are no dates")
        try:
            values = pd.to_datetime(values, format="ISO8601", utc=True)
        except ValueError:
            values = pd.to_datetime(values, utc=True)
    if values.dt.tz is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    return values
