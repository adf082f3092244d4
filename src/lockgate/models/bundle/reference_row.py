"""The row that predictions are compared with when they are explained: medians and modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from lockgate.data.columns.cell_values import CellValue, cell_value
from lockgate.data.columns.dates import MISSING_DATE
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows

__all__ = ["ReferenceRow", "make_reference_row"]

ReferenceRow: TypeAlias = dict[str, CellValue]
"""Cells by column, as JSON has them."""


def make_reference_row(inputs: Sequence[ColumnInput], rows: object) -> ReferenceRow:
    """Make up a row of a median or mode of each column; no training row is copied.

    Of numbers, dates and truth values it is the lower median, a value that occurs; of categories
    the most frequent, the first in their order of several; of texts an empty one. A column
    without any value has none.

    Parameters
    ----------
    inputs : sequence of ColumnInput
        Columns that the model takes.
    rows : object
        Training rows, as `read_columns` takes them.

    Examples
    --------
    >>> plan = ColumnInput("plan", "category", categories=("basic", "pro"))
    >>> inputs = [ColumnInput("age", "integer"), plan]
    >>> make_reference_row(inputs, {"age": [30, 40, None], "plan": ["pro", "basic", "pro"]})
    {'age': 30, 'plan': 'pro'}

    """
    cells, _ = read_columns(inputs, rows, RejectedRows())
    return {
        column.name: _typical_cell(column, values)
        for column, values in zip(inputs, cells, strict=True)
    }


def _typical_cell(column: ColumnInput, cells: Any) -> CellValue:
    values = np.asarray(cells)
    if column.kind == "text":
        return ""
    if column.kind == "category":
        known = np.bincount(values, minlength=len(column.categories))[: len(column.categories)]
        return cell_value(column, known.argmax()) if known.any() else None
    present = np.sort(values[values != MISSING_DATE if column.kind == "date" else values == values])
    return cell_value(column, present[(len(present) - 1) // 2]) if len(present) else None
