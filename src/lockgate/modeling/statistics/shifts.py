"""What changed most between two histograms of a column, as text."""

from __future__ import annotations

import numpy as np

from lockgate.contract.monitoring import BinCounts
from lockgate.data.columns.personal import is_personal

__all__ = ["describe_shift"]

LARGE_SHARE = 0.05
"""Change of a share from which missing cells and other categories are named first."""


def describe_shift(before: BinCounts, now: BinCounts, *, dates: bool = False) -> str:
    """Return what changed most: missing cells, other categories, a category, or the median.

    Parameters
    ----------
    before, now : BinCounts
        Counts over the same bins; both have rows.
    dates : bool
        Whether the bins are of days since 1970.

    Examples
    --------
    >>> before = BinCounts("plan", "nominal", categories=("a", "b"), counts=(0, 5, 5, 0))
    >>> now = BinCounts("plan", "nominal", categories=("a", "b"), counts=(0, 9, 1, 0))
    >>> describe_shift(before, now)
    'a 90%, 50% before'

    """
    shares = [(a / before.n, b / now.n) for a, b in zip(before.counts, now.counts, strict=True)]
    missing_before, missing_now = shares[0]
    if abs(missing_now - missing_before) >= LARGE_SHARE:
        return _pair("missing", missing_before, missing_now)
    if before.kind == "ordered":
        earlier, later = _median(before), _median(now)
        if earlier is None or later is None or earlier == later:
            return "the same median, other values"
        if dates:
            days = [np.datetime64(int(day), "D") for day in (later, earlier)]
            return f"median {days[0]}, {days[1]} before"
        return f"median {later:.4g}, {earlier:.4g} before"
    if shares[-1][1] - shares[-1][0] >= LARGE_SHARE:
        return _pair("other categories", *shares[-1])
    # of equal changes that of the category that grew
    changes = [(round(abs(b - a), 9), b > a) for a, b in shares[1:-1]]
    if not changes or is_personal(before.column):
        return "its categories changed"
    k = changes.index(max(changes))
    return _pair(before.categories[k], *shares[1 + k])


def _pair(label: str, before: float, now: float) -> str:
    return f"{label} {100 * now:.3g}%, {100 * before:.3g}% before"


def _median(bins: BinCounts) -> float | None:
    """Return the upper edge of the bin with the median; None without values or edges."""
    known = sum(bins.counts[1:])
    total = 0
    for edge, count in zip(bins.edges, bins.counts[1:], strict=False):
        total += count
        if known and 2 * total >= known:
            return edge
    return bins.edges[-1] if bins.edges and known else None
