"""Turns checked operations into a program: for columns on a backend, and for one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.contract.conversion import ForestEngine
from lockgate.contract.requests import Backend
from lockgate.data.columns.dates import date_parts, date_parts_one
from lockgate.errors import SchemaViolation
from lockgate.models.packed.format.arithmetic import POWERS_ARRAY
from lockgate.models.packed.format.categorical import Category, OneHot
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.header import Header
from lockgate.models.packed.format.linear import Linear, OneHotBlock
from lockgate.models.packed.format.numeric import Concat, Date, Numbers
from lockgate.models.packed.format.operation import POWERS_KEY, Shape
from lockgate.models.packed.format.text import Text
from lockgate.models.packed.runtime.forest import MOST_TABLE_BYTES, CompiledForest

__all__ = ["NO_PREDICTION", "Program"]

SOURCES = (Numbers, Category, Date, Text)
SHORT = float(np.finfo(np.float32).max)
NO_PREDICTION = (
    "a number inside the model is not finite or too large, e.g. the logarithm of a negative one"
)
CHUNK_CELLS = 1 << 21
MOST_ROWS = 8192


class Program:
    """The operations that the answers need, in order.

    A weighted sum over one-hot columns is taken from the place of each code:
    adding the zeros between would change no bit.

    Parameters
    ----------
    header, arrays, shapes
        As `header.decode` gives them.
    backend : Backend
        Where columns are computed.
    engine : Engine, optional
        Another way of walking trees than our own.

    """

    def __init__(
        self,
        header: Header,
        arrays: Mapping[str, np.ndarray],
        shapes: Sequence[Shape],
        backend: Backend,
        engine: ForestEngine | None = None,
    ) -> None:
        self.header, self.arrays, self.backend = header, arrays, backend
        self.engine = engine
        self._compiled: dict[int, Callable[[Any], Any]] = {}
        self.host = {**arrays, POWERS_KEY: POWERS_ARRAY}
        self.device: dict[str, Any] = {}
        self._grown: dict[int, CompiledForest] = {}
        answers = header.answers
        self.outputs = [answers.label, answers.score, answers.margin]
        self.order = self._ordered()
        self.operands = {place: self._operands(place) for place, _ in self.order}
        self._grow()
        width = sum(one.width for one in shapes if one.kind == "numbers") or 1
        self.chunk = max(1, min(MOST_ROWS, CHUNK_CELLS // width))

    def _ordered(self) -> list[tuple[int, bool]]:
        """Return operations in order, with whether one-hot columns stay places."""
        answers = self.header.answers
        wanted = {(one, False) for one in self.outputs if one is not None}
        wanted |= {(one, False) for one in (*answers.finite, *answers.short)}
        for place in range(len(self.header.ops) - 1, -1, -1):
            for hot in (False, True):
                if (place, hot) in wanted:
                    wanted.update(self._operands(place))
        return sorted(wanted)

    def _grow(self) -> None:
        left = MOST_TABLE_BYTES
        for place, _ in self.order:
            op = self.header.ops[place]
            if isinstance(op, Forest):
                grown = CompiledForest(op, self.arrays, self.backend, left)
                left -= getattr(grown.engine, "bytes", 0)
                self._grown[place] = grown
                run = grown.run if self.engine is None else self.engine.prepare(grown)
                self._compiled[place] = run

    def _operands(self, place: int) -> list[tuple[int, bool]]:
        """Return what an operation takes; a weighted sum takes what is side by side in pieces."""
        op = self.header.ops[place]
        if not isinstance(op, Linear):
            return [(one, False) for one in op.of]
        flat: list[int] = []
        waiting = list(reversed(op.of))
        while waiting:
            one = waiting.pop()
            inner = self.header.ops[one]
            if isinstance(inner, Concat):
                waiting += reversed(inner.of)
            else:
                flat.append(one)
        return [(one, isinstance(self.header.ops[one], OneHot)) for one in flat]

    @property
    def engines(self) -> list[str]:
        """How the trees are walked, one entry a forest."""
        return [grown.name for grown in self._grown.values()]

    def columns(self, cells: Sequence[Any], rows: int) -> list[Any]:
        """Compute label, score and margin, each of shape (width, rows) or None.

        A fourth array, of shape (1, rows), says where a check failed.
        """
        xp, asarray = self.backend.xp, self.backend.asarray
        if not self.device:
            self.device = {name: asarray(one) for name, one in self.host.items()}
        found: dict[tuple[int, bool], Any] = {}
        for place, hot in self.order:
            op = self.header.ops[place]
            given = [found[key] for key in self.operands[place]]
            found[place, hot] = (
                self._source(op, cells, rows)
                if isinstance(op, SOURCES)
                else self._compiled[place](given[0])
                if place in self._compiled
                else OneHotBlock(xp.take(self.device[op.places], given[0]), op.width, xp)
                if hot and isinstance(op, OneHot)
                else op.run(given, self.device, xp)
            )
        made = [None if one is None else found[one, False] for one in self.outputs]
        return [*made, self._strange(found, rows)]

    def _strange(self, found: Mapping[tuple[int, bool], Any], rows: int) -> Any:
        """Return for each row whether a number on the way, or an answer, is not what it must be."""
        xp, answers = self.backend.xp, self.header.answers
        strange = xp.zeros((rows,), dtype=xp.bool)
        for place in (*answers.finite, *(one for one in self.outputs if one is not None)):
            strange = strange | ~xp.all(xp.isfinite(found[place, False]), axis=0)
        for place in answers.short:
            strange = strange | xp.any(xp.abs(found[place, False]) > SHORT, axis=0)
        return xp.reshape(strange, (1, -1))

    def _source(self, op: Any, cells: Sequence[Any], rows: int) -> Any:
        if isinstance(op, Text):
            return cells[op.column]
        if isinstance(op, Numbers):
            wide = np.empty((len(op.columns), rows))
            for k, column in enumerate(op.columns):
                wide[k] = cells[column]
            return self.backend.asarray(wide)
        if isinstance(op, Date):
            return self.backend.asarray(date_parts(cells[op.column]))
        return self.backend.asarray(cells[op.column])

    def row(self) -> Callable[[list[Any]], list[Any]]:
        """Make the function from one row's cells to label, score and margin."""
        slots = {key: slot for slot, key in enumerate(self.order)}
        steps = [
            (self._row_step(place, hot), tuple(slots[key] for key in self.operands[place]))
            for place, hot in self.order
        ]
        plan = [(step, of, len(of)) for step, of in steps]
        ends = [None if one is None else slots[one, False] for one in self.outputs]
        answers = self.header.answers
        finite = [slots[one, False] for one in answers.finite]
        finite += [end for end in ends if end is not None]
        short = [slots[one, False] for one in answers.short]

        def answer(cells: list[Any]) -> list[Any]:
            found: list[Any] = []
            push = found.append
            for step, of, count in plan:
                if count == 1:
                    push(step(found[of[0]]))
                elif count:
                    push(step(*[found[one] for one in of]))
                else:
                    push(step(cells))
            for slot in finite:
                for value in found[slot]:
                    if value - value != 0:  # NaN and infinity alone
                        raise SchemaViolation([NO_PREDICTION])
            for slot in short:
                if any(value > SHORT or value < -SHORT for value in found[slot]):
                    raise SchemaViolation([NO_PREDICTION])
            return [None if end is None else found[end] for end in ends]

        return answer

    def _row_step(self, place: int, hot: bool) -> Callable[..., Any]:
        op: Any = self.header.ops[place]
        if isinstance(op, Numbers):
            columns = op.columns
            if columns == tuple(range(len(self.header.inputs))):
                return lambda cells: cells
            return lambda cells: [cells[k] for k in columns]
        if isinstance(op, Date):
            return lambda cells: date_parts_one(cells[op.column])
        if isinstance(op, (Category, Text)):
            return lambda cells: cells[op.column]
        if place in self._grown:
            step: Callable[..., Any] = self._grown[place].row()
            return step
        if hot and isinstance(op, OneHot):
            places, width = self.arrays[op.places].tolist(), op.width
            pairs = [(one, width) for one in places]
            return pairs.__getitem__
        made: Callable[..., Any] = op.row(self.host)
        return made
