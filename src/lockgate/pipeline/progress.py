"""Shows the progress of a loop: a bar on a terminal, a few log lines elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["ProgressBar"]

Item = TypeVar("Item")


class ProgressBar:
    """Shows progress on a terminal, or in the log of a stage elsewhere.

    Parameters
    ----------
    log : logging.Logger
        Log that progress lines go to.

    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def __call__(
        self, items: Iterable[Item], *, total: int | None = None, label: str = ""
    ) -> Iterable[Item]:
        """Yield the items and show how many are done."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        if sys.stderr.isatty():
            from tqdm import tqdm

            return tqdm(items, total=total, desc=f"  {label}", leave=False, unit="")
        return self._log_progress(items, total, label)

    def _log_progress(self, items: Iterable[Item], total: int | None, label: str) -> Iterator[Item]:
        quarter = 0
        for completed, item in enumerate(items, start=1):
            yield item
            if total and total >= 4 and 4 * completed // total > quarter:
                quarter = 4 * completed // total
                self._log.info("%s: %d of %d", label, completed, total)
