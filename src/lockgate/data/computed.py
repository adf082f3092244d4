"""Columns that are computed of two others: differences and ratios, as they are written."""

from __future__ import annotations

import re
from typing import NamedTuple

from lockgate.errors import SchemaViolation

__all__ = ["Combination", "parse_combination"]

FORM = re.compile(r"(?P<left>.+?) +(?P<sign>[-/]) +(?P<right>.+)")


class Combination(NamedTuple):
    """Two columns, and how a third is computed of them.

    Attributes
    ----------
    left, right : str
        Names of the columns.
    how : {"subtract", "divide"}
        What is computed.

    """

    left: str
    right: str
    how: str


def parse_combination(text: str, where: str) -> Combination:
    """Read a difference or a ratio.

    Raises
    ------
    SchemaViolation
        If it is neither; `where` names the setting.

    Examples
    --------
    >>> parse_combination("dollars / orders", "cells.computed.per_order")
    Combination(left='dollars', right='orders', how='divide')

    """
    match = FORM.fullmatch(text.strip())
    if match is None:
        raise SchemaViolation(
            [
                f"{where} is {text!r}, expected two columns with a sign between blanks, e.g. "
                "'dollars / orders' or 'today - born'"
            ]
        )
    left, sign, right = match["left"].strip(), match["sign"], match["right"].strip()
    return Combination(left, right, "divide" if sign == "/" else "subtract")
