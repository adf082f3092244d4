"""Cells that were filled: missing values and categories that training did not have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import numpy as np

from lockgate.data.columns.categories import category_text, distinct_cells
from lockgate.data.columns.dates import is_missing
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.personal import is_personal
from lockgate.data.columns.rejections import RejectedRows, count_missing
from lockgate.data.columns.sources import select_columns
from lockgate.suggestions import nearest

__all__ = ["MAX_UNKNOWN", "FilledCells", "count_filled"]

MAX_UNKNOWN = 0.01
"""Share of a column's cells; more unknown categories than this are reported."""

MAX_EXAMPLES = 3


class FilledCells(msgspec.Struct, frozen=True):
    """Missing cells and unknown categories of the rows that were predicted.

    Attributes
    ----------
    rows : int
        Number of rows.
    missing, unknown : dict of str to int
        Number of such cells by column; columns without any are left out.
    examples : dict of str to list of str
        Some unknown categories by column.

    """

    rows: int = 0
    missing: dict[str, int] = {}
    unknown: dict[str, int] = {}
    examples: dict[str, list[str]] = {}

    def __add__(self, other: FilledCells) -> FilledCells:
        """Return the cells of both."""
        examples = {
            name: list(
                dict.fromkeys([*self.examples.get(name, []), *other.examples.get(name, [])])
            )[:MAX_EXAMPLES]
            for name in self.examples.keys() | other.examples.keys()
        }
        return FilledCells(
            self.rows + other.rows,
            _add(self.missing, other.missing),
            _add(self.unknown, other.unknown),
            examples,
        )

    def largest_unknown_share(self) -> float:
        """Return the largest share of unknown categories in a column."""
        return max(self.unknown.values(), default=0) / max(self.rows, 1)

    def warnings(
        self,
        inputs: Sequence[ColumnInput],
        never_missing: Collection[str] = (),
        suggest: Callable[[str, Sequence[str]], str] = nearest,
    ) -> list[str]:
        """Describe columns that hardly hold what the model was trained on.

        Parameters
        ----------
        inputs : sequence of ColumnInput
            Columns of the model.
        never_missing : collection of str
            Columns that had no missing value in training.
        suggest : callable
            Suggests a similar category, as `lockgate.suggestions.nearest` does.

        """
        messages = []
        for column in inputs:
            count = self.unknown.get(column.name, 0)
            if count > MAX_UNKNOWN * self.rows:
                known = () if is_personal(column.name) else column.categories
                examples = [
                    f"{text!r}{suggest(text, known)}" for text in self.examples.get(column.name, [])
                ]
                messages.append(
                    f"column {column.name}: {count:,} of {self.rows:,} cells "
                    f"({count / self.rows:.1%}) hold categories that training did not have: "
                    f"{'; '.join(examples)}"
                )
            if column.name in never_missing and 0 < self.rows == self.missing.get(column.name):
                messages.append(
                    f"column {column.name}: all {self.rows:,} cells are missing, and in training "
                    "none was"
                )
        return messages


def _add(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {k: first.get(k, 0) + second.get(k, 0) for k in first.keys() | second.keys()}


def count_filled(
    inputs: Sequence[ColumnInput],
    source: object,
    cells: Sequence[Any],
    rows: int,
    rejected: Collection[int] = (),
) -> FilledCells:
    """Count the cells that a model fills.

    Parameters
    ----------
    inputs : sequence of ColumnInput
        Columns of the model.
    source : object
        The rows, as `read_columns` takes them.
    cells : sequence of column
        Their cells, as `read_columns` returned them.
    rows : int
        Number of rows.
    rejected : collection of int
        Rows without a prediction, which are not counted.

    """
    counts = count_missing(inputs, cells, rejected)
    unknown = counts.get("unknown", {})
    examples: dict[str, list[str]] = {}
    if unknown:
        columns = select_columns(inputs, source, RejectedRows())
        for column, values, codes in zip(inputs, columns, cells, strict=True):
            if column.name in unknown:
                examples[column.name] = _unknown_texts(column, values, np.asarray(codes))
    return FilledCells(rows - len(rejected), counts.get("gaps", {}), unknown, examples)


def _unknown_texts(column: ColumnInput, values: Any, codes: np.ndarray) -> list[str]:
    indices, distinct = distinct_cells(values)
    first = np.unique(indices[codes > len(column.categories)])
    texts = [category_text(distinct[index]) for index in first if not is_missing(distinct[index])]
    return list(dict.fromkeys(texts))[:MAX_EXAMPLES]
