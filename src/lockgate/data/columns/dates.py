"""Dates as microseconds since 1970, and their parts."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

__all__ = ["MISSING_DATE", "as_micros", "date_parts", "date_parts_one", "is_missing"]

MISSING_DATE = np.iinfo(np.int64).min
"""Microseconds that stand for no date, as NumPy has it."""
DAY, HOUR = 86_400_000_000, 3_600_000_000
EPOCH = datetime.datetime(1970, 1, 1)


def is_missing(value: Any) -> bool:
    """Say whether a cell is empty: None, NaN, or what pandas has for it."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def as_micros(value: Any) -> int | None:
    """Return a cell as microseconds since 1970 in UTC, `NO_DATE` for a gap, None for no date."""
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


def date_parts(micros: Any) -> Any:
    """Return days since 1970, month, weekday and hour, shape (4, n); NaN where there is no date."""
    empty = micros == MISSING_DATE
    safe = np.where(empty, 0, micros)
    month = safe.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    parts = [safe / float(DAY), month, (safe // DAY + 3) % 7, safe // HOUR % 24]
    return np.where(empty, np.nan, np.stack([np.asarray(part, float) for part in parts]))


def date_parts_one(micros: int) -> list[float]:
    """Return the same for one date."""
    return [float(value) for value in date_parts(np.array([micros]))[:, 0].tolist()]
