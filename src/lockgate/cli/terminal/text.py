"""Plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

__all__ = ["align_columns"]


def align_columns(rows: Sequence[Sequence[str]], *, indent: int = 0) -> list[str]:
    """Align cells in columns, two spaces apart; the last column is not padded.

    Examples
    --------
    >>> align_columns([["a", "1"], ["long", "2"]])
    ['a     1', 'long  2']
    >>> align_columns([[click.style("a", fg="red"), "1"], ["long", "2"]])[1]
    'long  2'

    """
    if not rows:
        return []
    widths = [max(_width(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    return [
        " " * indent
        + "".join(
            cell + " " * (width + 2 - _width(cell))
            for cell, width in zip(row, widths, strict=False)
        )
        + row[-1]
        for row in rows
    ]


def _width(cell: str) -> int:
    """Return how wide a cell is shown: the codes of its colours have no width."""
    return len(click.unstyle(cell))
