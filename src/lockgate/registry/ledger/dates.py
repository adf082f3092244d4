"""Dates of events: they rise, and none is far ahead of the clock of those that read it."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["AHEAD_SECONDS", "DATE_STEP", "format_date", "too_far_ahead"]

DATE_STEP = 2
"""Seconds between the dates of two events, at least: the tags of each have dates of their own."""

AHEAD_SECONDS = 24 * 3600
"""How far an event may be dated ahead of the clock: the dates of a burst of events run ahead.

An event beyond it is not accepted. All later ones would have to be dated after it, and keys that
end in between would seem to have ended.
"""


def too_far_ahead(date: int, now: float) -> str | None:
    """Return what is wrong with a date that is too far ahead of the clock; None if nothing is."""
    if date <= now + AHEAD_SECONDS:
        return None
    return (
        f"it is dated {format_date(date)}, and the clock here says {format_date(int(now))}: one of "
        "the two clocks is wrong"
    )


def format_date(seconds: int) -> str:
    """Return a time in ISO 8601, UTC; a number where no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s after 1970"
