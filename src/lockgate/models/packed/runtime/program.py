"""Compiles checked operations: for columns on a backend, and for one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.contract.conversion import Engine
from lockgate.contract.requests import Backend
from lockgate.data.columns.dates import date_parts, date_parts_one
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import SchemaViolation
from lockgate.models.packed.format.arithmetic import POWERS_ARRAY
from lockgate.models.packed.format.array_types import Array, Cells
from lockgate.models.packed.format.categorical import Category, OneHot
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.header import Header
from lockgate.models.packed.format.linear import Linear, OneHotBlock
from lockgate.models.packed.format.numeric import Date, Numbers
from lockgate.models.packed.format.operation import POWERS_KEY, Shape
from lockgate.models.packed.format.text import Text
from lockgate.models.packed.runtime.comparison import prepare_forest
from lockgate.models.packed.runtime.forest import MAX_TABLE_BYTES, CompiledForest
from lockgate.models.packed.runtime.one_hot_masks import (
    ForestPart,
    find_parts,
    flatten_blocks,
)

__all__ = ["Program", "reject_unpredicted"]

SOURCES = (Numbers, Category, Date, Text)
SHORT = float(np.finfo(np.float32).max)
NO_PREDICTION = (
    "an intermediate result is not finite or too large, e.g. the logarithm of a negative number"
)
BACKEND_TOLERANCE = 1e-9
"""Largest difference of another array backend: it may add in another order."""

CHUNK_CELLS = 1 << 21
MAX_ROWS = 8192


class Program:
    """The operations that the prediction needs, in order.

    A weighted sum over one-hot columns takes the weight of each code's column
    alone: adding the zeros between would change no bit. Trees with mask tables take the codes.

    Parameters
    ----------
    header, arrays, shapes
        As `header.decode` returns them.
    backend : Backend
        Where columns are computed.
    engine : Engine, optional
        A plugin's engine for trees.
    outputs : sequence of int, optional
        Operations whose results are returned, instead of label, score and margin: whatever
        they give, and without a check of the row.

    Attributes
    ----------
    outputs : list of int or None
        Operations whose results are returned; None where the model has no score or margin.
    tolerance : float
        Largest difference from NumPy's predictions, relative to max(1, value).

    """

    def __init__(
        self,
        header: Header,
        arrays: Mapping[str, np.ndarray],
        shapes: Sequence[Shape],
        backend: Backend,
        engine: Engine | None = None,
        outputs: Sequence[int] | None = None,
    ) -> None:
        self.header, self.arrays, self.backend = header, arrays, backend
        self.engine = engine
        allowed = BACKEND_TOLERANCE if engine is None else engine.tolerance
        self.tolerance = max(header.tolerance, allowed)
        self._compiled: dict[int, Callable[..., Any]] = {}
        self.host = {**arrays, POWERS_KEY: POWERS_ARRAY}
        self.device: dict[str, Any] = {}
        self._forests: dict[int, CompiledForest] = {}
        self._parts: dict[int, list[ForestPart]] = {}
        answers = header.answers
        self.outputs: list[int | None] = [answers.label, answers.score, answers.margin]
        self._finite, self._short = answers.finite, answers.short
        self._checks_outputs = outputs is None
        if outputs is not None:
            self.outputs, self._finite, self._short = list(outputs), (), ()
        self._compile_forests(shapes)
        self.order = self._order_operations()
        self.operands = {index: self._operands(index) for index, _ in self.order}
        # the results of all operations are kept for a block of rows: bound their memory
        width = sum(shape.width for shape in shapes if shape.kind == "numbers") or 1
        self.chunk = max(1, min(MAX_ROWS, CHUNK_CELLS // width))

    @property
    def needs_comparison(self) -> bool:
        """Whether another library than NumPy computes."""
        return self.engine is not None or self.backend.name != "numpy"

    @property
    def name(self) -> str:
        """What computes, for messages."""
        if self.engine is not None:
            return f"engine {self.engine.name}"
        return f"backend {self.backend.name}"

    def _order_operations(self) -> list[tuple[int, bool]]:
        """Return operations in order, each with whether one-hot columns stay indices."""
        required = {(index, False) for index in self.outputs if index is not None}
        required |= {(index, False) for index in (*self._finite, *self._short)}
        for index in range(len(self.header.ops) - 1, -1, -1):
            for hot in (False, True):
                if (index, hot) in required:
                    required.update(self._operands(index))
        return sorted(required)

    def _compile_forests(self, shapes: Sequence[Shape]) -> None:
        remaining_bytes = MAX_TABLE_BYTES
        reachable = self._reachable()
        for index, op in enumerate(self.header.ops):
            if isinstance(op, Forest) and index in reachable:
                parts: list[ForestPart] = []
                if self.engine is None and self.backend.name == "numpy":
                    parts = find_parts(self.header, self.arrays, shapes, index)
                compiled = CompiledForest(op, self.arrays, self.backend, remaining_bytes, parts)
                remaining_bytes -= getattr(compiled.engine, "bytes", 0)
                self._forests[index] = compiled
                self._parts[index] = parts
                self._compiled[index] = (
                    compiled.run
                    if self.engine is None
                    else prepare_forest(self.engine, compiled, self.tolerance)
                )

    def _reachable(self) -> set[int]:
        """Return the operations that the outputs and the checks need."""
        reachable = {index for index in self.outputs if index is not None}
        reachable |= {*self._finite, *self._short}
        for index in range(len(self.header.ops) - 1, -1, -1):
            if index in reachable:
                reachable.update(self.header.ops[index].of)
        return reachable

    def _operands(self, index: int) -> list[tuple[int, bool]]:
        """Return an operation's operands, each with whether one-hot columns stay indices."""
        op = self.header.ops[index]
        if index in self._forests and self._forests[index].takes_parts:
            return [(part.operand, False) for part in self._parts[index]]
        if not isinstance(op, Linear):
            return [(operand, False) for operand in op.of]
        return [
            (operand, isinstance(self.header.ops[operand], OneHot))
            for operand in flatten_blocks(self.header, op.of)
        ]

    @property
    def engines(self) -> list[str]:
        """How the trees are evaluated, one entry per forest."""
        return [compiled.name for compiled in self._forests.values()]

    def columns(self, cells: Sequence[Cells], rows: int) -> list[Any]:
        """Compute label, score and margin, each of shape (width, rows) or None.

        A fourth array, of shape (1, rows), is true where a check failed.
        """
        xp, asarray = self.backend.xp, self.backend.asarray
        if not self.device:
            self.device = {name: asarray(array) for name, array in self.host.items()}
        results: dict[tuple[int, bool], Any] = {}
        for index, hot in self.order:
            op = self.header.ops[index]
            operands = [results[key] for key in self.operands[index]]
            results[index, hot] = (
                self._source(op, cells, rows)
                if isinstance(op, SOURCES)
                else self._compiled[index](*operands)
                if index in self._compiled
                else OneHotBlock(xp.take(self.device[op.code_columns], operands[0]), op.width, xp)
                if hot and isinstance(op, OneHot)
                else op.run(operands, self.device, xp)
            )
        outputs = [None if index is None else results[index, False] for index in self.outputs]
        return [*outputs, self._find_invalid(results, rows)]

    def _find_invalid(self, results: Mapping[tuple[int, bool], Array], rows: int) -> Array:
        """Return for each row whether an intermediate result or the prediction fails a check."""
        xp = self.backend.xp
        if not self._checks_outputs:
            return xp.zeros((1, rows), dtype=xp.bool)
        checked = [results[index, False] for index in self._finite]
        checked += [results[output, False] for output in self.outputs if output is not None]
        if xp is np and not self._short and all(np.isfinite(array).all() for array in checked):
            return np.zeros((1, rows), bool)
        invalid = xp.zeros((rows,), dtype=xp.bool)
        for array in checked:
            invalid = invalid | ~xp.all(xp.isfinite(array), axis=0)
        for index in self._short:
            invalid = invalid | xp.any(xp.abs(results[index, False]) > SHORT, axis=0)
        return xp.reshape(invalid, (1, -1))

    def _source(
        self, op: Numbers | Category | Date | Text, cells: Sequence[Cells], rows: int
    ) -> Array:
        if isinstance(op, Text):
            return cells[op.column]
        if isinstance(op, Numbers):
            wide = np.empty((len(op.columns), rows))
            for k, column in enumerate(op.columns):
                wide[k] = cells[column]
            return self.backend.asarray(wide)
        if isinstance(op, Date):
            return self.backend.asarray(date_parts(np.asarray(cells[op.column])))
        return self.backend.asarray(cells[op.column])

    def row(self) -> Callable[[list[Any]], list[Any]]:
        """Make the function from one row's cells to label, score and margin."""
        slots = {key: slot for slot, key in enumerate(self.order)}
        steps = [
            (self._row_step(index, hot), tuple(slots[key] for key in self.operands[index]))
            for index, hot in self.order
        ]
        plan = [(step, of, len(of)) for step, of in steps]
        ends = [None if index is None else slots[index, False] for index in self.outputs]
        finite = [slots[index, False] for index in self._finite]
        finite += [end for end in ends if end is not None and self._checks_outputs]
        short = [slots[index, False] for index in self._short]

        def run_row(cells: list[object]) -> list[Any]:
            results: list[Any] = []
            push = results.append
            for step, of, count in plan:
                if count == 1:
                    push(step(results[of[0]]))
                elif count:
                    push(step(*[results[operand] for operand in of]))
                else:
                    push(step(cells))
            for slot in finite:
                for value in results[slot]:
                    if value - value != 0:  # true of NaN and infinity only; faster than isfinite
                        raise SchemaViolation([NO_PREDICTION])
            for slot in short:
                if any(value > SHORT or value < -SHORT for value in results[slot]):
                    raise SchemaViolation([NO_PREDICTION])
            return [None if end is None else results[end] for end in ends]

        return run_row

    def _row_step(self, index: int, hot: bool) -> Callable[..., Any]:
        op: Any = self.header.ops[index]
        if isinstance(op, Numbers):
            columns = op.columns
            if columns == tuple(range(len(self.header.inputs))):
                return lambda cells: cells
            return lambda cells: [cells[k] for k in columns]
        if isinstance(op, Date):
            return lambda cells: date_parts_one(cells[op.column])
        if isinstance(op, (Category, Text)):
            return lambda cells: cells[op.column]
        if index in self._forests:
            step: Callable[..., Any] = self._forests[index].row()
            return step
        if hot and isinstance(op, OneHot):
            code_columns, width = self.arrays[op.code_columns].tolist(), op.width
            pairs = [(column, width) for column in code_columns]
            return pairs.__getitem__
        row_function: Callable[..., Any] = op.row(self.host)
        return row_function


def reject_unpredicted(rows: np.ndarray, rejected: RejectedRows | None) -> None:
    """Reject rows without a finite prediction, unless they were rejected before."""
    if not len(rows):
        return
    rejections = RejectedRows() if rejected is None else rejected
    new = [row for row in rows.tolist() if row not in rejections.reasons]
    rejections.add(new, lambda row: f"{NO_PREDICTION} in row {row}")
    if rejected is None:
        rejections.raise_first()
