"""Dates as microseconds since 1970, and their parts."""

from __future__ import annotations

import datetime
import re

import numpy as np

__all__ = [
    "DAY",
    "EPOCH",
    "ISO_DATE",
    "MISSING_DATE",
    "NUMERIC_DATE",
    "as_micros",
    "date_parts",
    "date_parts_one",
    "is_missing",
]

MISSING_DATE = np.iinfo(np.int64).min
"""Stands for a missing date; the integer behind NumPy's NaT."""
DAY, HOUR = 86_400_000_000, 3_600_000_000
EPOCH = datetime.datetime(1970, 1, 1)

CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"

ISO_DATE = rf"\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{CLOCK})?\s*(?:Z|UTC|[+-]\d{{2}}:?\d{{2}})?"
"""Pattern of dates; a column in which every text matches is a column of dates."""

NUMERIC_DATE = rf"(\d{{1,2}})[./-](\d{{1,2}})[./-](\d{{4}})(?:,?[T ]({CLOCK}))?"
"""Pattern of dates whose day and month can be told by their order alone."""

ZONE = re.compile(r"\s*(UTC|Z|[+-]\d{2}:?\d{2})$")
NUMERIC = re.compile(NUMERIC_DATE)
SHORT_HOUR = re.compile(r"^(\d{4}-\d{2}-\d{2})[T ](\d:)")


def is_missing(value: object) -> bool:
    """Return whether a cell is missing: None, NaN, or the NA and NaT of pandas and NumPy."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and value != value


def as_micros(value: object, order: str = "iso") -> int | None:
    """Parse a cell as microseconds since 1970 in UTC; a date without a zone is taken as UTC.

    Parameters
    ----------
    value : object
        A date, or its text.
    order : {"iso", "day-first", "month-first"}
        How texts like 02/07/2024 are read; "iso" does not read them.

    Returns
    -------
    int or None
        `MISSING_DATE` for a missing value, None for a cell that is not a date.

    Examples
    --------
    >>> as_micros("1970-01-01 01:00 +01:00"), as_micros("02/01/1970", "day-first") // DAY
    (0, 1)

    """
    if is_missing(value):
        return MISSING_DATE
    if isinstance(value, str):
        value = _parse_text(value, order)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if not isinstance(value, datetime.datetime):
        if not isinstance(value, datetime.date):
            return None
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        try:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        except OverflowError:  # outside the years 1 to 9999
            return None
    micros: int = (value - EPOCH) // datetime.timedelta(microseconds=1)
    return micros


def _parse_text(text: str, order: str) -> datetime.datetime | None:
    text = SHORT_HOUR.sub(r"\1T0\2", text.strip())
    try:
        zone = ZONE.search(text)
        if zone is not None and zone.start() > 10:  # behind a date
            offset = "+00:00" if zone[1] in ("UTC", "Z") else zone[1]
            time = "" if ":" in text[: zone.start()] else "T00:00"
            text = text[: zone.start()] + time + offset
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        pass
    numeric = NUMERIC.fullmatch(text) if order != "iso" else None
    if numeric is None:
        return None
    first, second, year, clock = numeric.groups()
    day, month = (first, second) if order == "day-first" else (second, first)
    hour, _, minutes = (clock or "00:00").partition(":")
    try:
        return datetime.datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minutes}")
    except ValueError:
        return None


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
