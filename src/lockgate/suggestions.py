"""Suggestions for misspelled names."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a suggestion of a similar known name; empty if there is none.

    Examples
    --------
    >>> nearest("laso", ["lasso", "prune"])
    ", did you mean 'lasso'?"
    >>> nearest("zap", ["lasso", "prune"])
    ''

    """
    # names may come from a request: thousands of them, of any length
    candidates = [candidate[:100] for candidate in itertools.islice(known, 1000)]
    close = difflib.get_close_matches(str(name)[:100], candidates, n=1)
    return f", did you mean {close[0]!r}?" if close else ""
