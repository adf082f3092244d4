"""Operations that choose columns of counts of terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lockgate.models.packed.format.array_types import Array, Namespace, RowFunction
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.linear import TermCounts
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape

__all__ = ["TERM_COLUMNS", "DenseTerms", "SelectTerms"]


class SelectTerms(Operation, tag="pickterms", frozen=True):
    """Some columns of counts of terms, in ascending order; they stay sparse."""

    columns: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        return Shape("terms", _check_columns(self.columns, operands, reader))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        terms: TermCounts = operands[0]
        columns = arrays[self.columns]
        index, chosen = _find(terms.columns, columns)
        ends = np.concatenate([[0], np.cumsum(chosen)])
        return TermCounts(ends[terms.starts], index[chosen], terms.values[chosen], len(columns))

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        return lambda terms: self.run([terms], arrays, np)


class DenseTerms(Operation, tag="dense", frozen=True):
    """Some columns of counts of terms, in ascending order, as numbers: zero where absent."""

    columns: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        return Shape("numbers", _check_columns(self.columns, operands, reader))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        terms: TermCounts = operands[0]
        columns = arrays[self.columns]
        index, chosen = _find(terms.columns, columns)
        numbers = np.zeros((len(columns), terms.shape[1]))
        numbers[index[chosen], terms.row_indices()[chosen]] = terms.values[chosen]
        return numbers

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        positions = {column: k for k, column in enumerate(arrays[self.columns].tolist())}
        zeros = [0.0] * len(positions)

        def fill(terms: TermCounts) -> list[float]:
            numbers = zeros.copy()
            for column, value in terms.pairs():
                position = positions.get(column)
                if position is not None:
                    numbers[position] = value
            return numbers

        return fill


def _check_columns(name: str, operands: Sequence[Shape], reader: ArrayReader) -> int:
    """Check the columns of an operation, and return their number."""
    require(len(operands) == 1 and operands[0].kind == "terms", "expected counts of terms")
    columns = reader.array(name, "u4", None).astype(np.int64)
    require(len(columns), "expected at least one column")
    ascending = bool((np.diff(columns) > 0).all())
    require(ascending and columns[-1] < operands[0].width, "columns are unknown or not ascending")
    return len(columns)


def _find(columns: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of each column among the chosen ones, and whether it is one of them."""
    index = np.searchsorted(chosen, columns)
    safe = np.minimum(index, len(chosen) - 1)
    return safe, chosen[safe] == columns


TERM_COLUMNS = (SelectTerms, DenseTerms)
"""Operations on columns of counts of terms."""
