"""What changed most between two histograms of a column, as text."""

from __future__ import annotations

import numpy as np

from lockgate.contract.monitoring import BinCounts
from lockgate.data.columns.personal import is_personal

__all__ = ["describe_shift"]

LARGE_SHARE = 0.05
"""Change of a share from which missing cells and other categories are named first."""


def describe_shift(before: BinCounts, now: BinCounts) -> str:
    """Return what changed most: missing cells, other categories, a category, or the median.

    Parameters
    ----------
    before, now : BinCounts
        Counts over the same bins; both have rows.

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
    if before.kind == "ordered" and before.values == "boolean":
        return _pair("true", _share_of_true(before), _share_of_true(now))
    if before.kind == "ordered":
        earlier, later = _median(before), _median(now)
        if not earlier or not later or earlier == later:
            return "the same median, other values"
        return f"median {later}, {earlier} before"
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


def _median(bins: BinCounts) -> str:
    """Return the upper edge of the bin with the median as text; empty without values or edges.

    The first bin is below all values of the reference, and the last one above them.
    """
    known = sum(bins.counts[1:])
    if not known or not bins.edges:
        return ""
    middle = int(np.searchsorted(np.cumsum(bins.counts[1:]), known / 2))
    edge = bins.edges[min(middle, len(bins.edges) - 1)]
    if bins.values == "date":
        # the first edge is just below the first day
        text = str(np.datetime64(int(np.ceil(edge) if middle == 0 else np.floor(edge)), "D"))
    else:
        text = f"{edge:.4g}"
    if middle == 0:
        return f"before {text}" if bins.values == "date" else f"below {text}"
    if middle == len(bins.edges):
        return f"after {text}" if bins.values == "date" else f"above {text}"
    return text


def _share_of_true(bins: BinCounts) -> float:
    """Return the share of cells that are true; the edges are 0, 1, or both."""
    upper = [*bins.edges, np.inf]
    true = sum(count for edge, count in zip(upper, bins.counts[1:], strict=True) if edge >= 1)
    return true / bins.n
