"""Cells of DataFrames: conversion to text, dates and the kind of their column."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from lockgate.errors import SchemaViolation

__all__ = ["ISO_DATE", "Series", "convert_to_kind", "convert_to_text", "parse_date"]

Series: TypeAlias = "pd.Series[Any]"
"""A column of a DataFrame."""


def parse_date(text: str) -> pd.Timestamp:
    """Parse a date of the configuration; one with a time zone is converted to UTC."""
    try:
        timestamp = pd.Timestamp(text)
        return (
            timestamp if timestamp.tzinfo is None else timestamp.tz_convert("UTC").tz_localize(None)
        )
    except ValueError:
        raise SchemaViolation([f"{text!r} is not a date; write it like 1998-01-31"]) from None


ISO_DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?"
"""Pattern of dates; a column in which every text matches is a column of dates."""


def convert_to_kind(values: Series, kind: str) -> Series:
    """Convert a column to its kind, at training and at serving alike."""
    if kind == "number":
        return pd.to_numeric(values).astype("float64")
    if kind == "integer":
        return pd.to_numeric(values)
    if kind == "date":
        return _convert_dates(values)
    if kind == "boolean":
        return values if values.hasnans else values.astype(bool)
    return convert_to_text(values)


def convert_to_text(values: Series) -> Series:
    """Convert each value to text; 3 and 3.0 are the same category, missing values stay.

    pandas reads a column of integers as floats if a value is missing; its
    categories must be the same in both cases.
    """
    if values.dtype.kind == "f":
        integral = values.where(values.notna(), 0.0) % 1 == 0
        texts = values.astype(object).where(~integral, values.fillna(0).astype("int64")).map(str)
    else:
        texts = values.astype(object).map(str)
    return texts.where(values.notna(), np.nan).astype(object)


def _convert_dates(values: Series) -> Series:
    """Parse dates; those with a time zone are converted to UTC, so that all compare."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        if pd.api.types.is_numeric_dtype(values) and values.notna().any():
            raise ValueError("expected dates, got numbers")
        try:
            values = pd.to_datetime(values, format="ISO8601", utc=True)
        except ValueError:
            values = pd.to_datetime(values, utc=True)
    if values.dt.tz is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    return values
