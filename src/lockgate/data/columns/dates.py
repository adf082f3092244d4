"""Dates as microseconds since 1970, and their parts."""

from __future__ import annotations

import datetime

import numpy as np

__all__ = ["MISSING_DATE", "as_micros", "date_parts", "date_parts_one", "is_missing"]

MISSING_DATE = np.iinfo(np.int64).min
"""Stands for a missing date; the integer behind NumPy's NaT."""
DAY, HOUR = 86_400_000_000, 3_600_000_000
EPOCH = datetime.datetime(1970, 1, 1)


def is_missing(value: object) -> bool:
    """Return whether a cell is missing: None, NaN, or the NA and NaT of pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def as_micros(value: object) -> int | None:
    """Parse a cell as microseconds since 1970 in UTC.

    Returns `MISSING_DATE` for a missing value, None for a cell that is not a date.
    """
    if is_missing(value):
        return MISSING_DATE
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if not isinstance(value, datetime.datetime):
        if not isinstance(value, datetime.date):
            return None
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    micros: int = (value - EPOCH) // datetime.timedelta(microseconds=1)
    return micros


def date_parts(micros: np.ndarray) -> np.ndarray:
    """Return days since 1970, month, weekday and hour, shape (4, n); NaN for missing dates."""
    empty = micros == MISSING_DATE
    safe = np.where(empty, 0, micros)
    month = safe.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    parts = [safe / float(DAY), month, (safe // DAY + 3) % 7, safe // HOUR % 24]
    return np.where(empty, np.nan, np.stack([np.asarray(part, float) for part in parts]))


def date_parts_one(micros: int) -> list[float]:
    """Return the parts of a single date."""
    return [float(value) for value in date_parts(np.array([micros]))[:, 0].tolist()]
