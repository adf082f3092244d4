"""Follows a fitted pipeline with symbols instead of rows, and writes down what it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lockgate.data.columns.categories import category_text
from lockgate.data.columns.dates import is_missing
from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import NotCovered
from lockgate.models.converters.symbols import (
    GAP,
    UNKNOWN,
    CodedColumn,
    Column,
    Marker,
    Number,
    RawColumn,
    Sparse,
)
from lockgate.models.packed.format import categorical, numeric
from lockgate.models.packed.format.writer import Builder

__all__ = ["TOLERANCE", "Trace"]
WILD = ("exp", "expm1", "log", "log1p", "sqrt", "square")
"""Functions that make NaN or infinity of some finite numbers."""
TOLERANCE = 1e-12
"""Largest difference of a probability, or, relative to the value, of a regression."""


class Trace:
    """The state of packing one model.

    Parameters
    ----------
    inputs : sequence of Input
        Columns of the training table.
    categories : dict
        Known categories of inputs by place, from an earlier pass.
    convert : callable
        Function from an estimator to its converter.

    """

    def __init__(
        self,
        inputs: Sequence[ColumnInput],
        categories: dict[int, tuple[str, ...]],
        convert: Callable[[Any], Any],
    ) -> None:
        self.given = [
            changed(one, categories=categories.get(k, ())) for k, one in enumerate(inputs)
        ]
        self.builder = Builder(self.given)
        self.required: dict[int, set[str]] = {}
        self.allowed: dict[int, set[float]] = {}
        self.used: set[int] = set()
        self.convert = convert
        self.tolerance = TOLERANCE
        self.finite: set[int] = set()
        self.short: set[int] = set()
        self.path: list[str] = []
        self.steps: list[str] = []

    # --- what converters say ---

    def refuse(self, sentence: str) -> NotCovered:
        """Make the error that names the step and what to do."""
        where = ".".join(self.path)
        return NotCovered(f"{where}: {sentence}" if where else sentence)

    def require(self, condition: Any, sentence: str) -> None:
        """Refuse the model with that sentence unless the condition holds."""
        if not condition:
            raise self.refuse(sentence)

    def present(self, op: int | None, sentence: str) -> int:
        """Return an operation that a part must have made, or refuse the model."""
        if op is None:
            raise self.refuse(sentence)
        return op

    def attribute(self, estimator: Any, *names: str) -> Any:
        """Return the first of these attributes, or refuse: not fitted, or an unknown version."""
        for name in names:
            if hasattr(estimator, name):
                return getattr(estimator, name)
        word = type(estimator).__name__
        listed = " or ".join(names)
        raise self.refuse(
            f"{word} has no {listed}: it is not fitted, or its version is not one that is known; "
            "fit it, or see docs/packing.md for the supported versions"
        )

    def allow_tolerance(self, tolerance: float) -> None:
        """Allow answers to differ by that much, for a library that adds in 32 bits."""
        self.tolerance = max(self.tolerance, tolerance)

    # --- columns to operations ---

    def numbers(self, columns: Iterable[Column]) -> int:
        """Return an operation that gives these columns as numbers, in order."""
        listed = [self._as_number(one) for one in columns]
        self.require(listed, "no column reaches this step")
        runs: list[tuple[int, list[int]]] = []
        for one in listed:
            op, place = (-1, one.source) if isinstance(one, RawColumn) else (one.op, one.place)
            if runs and runs[-1][0] == op:
                runs[-1][1].append(place)
            else:
                runs.append((op, [place]))
        parts = [self._run(op, places) for op, places in runs]
        return parts[0] if len(parts) == 1 else self.builder.add(numeric.Concat, *parts)

    def _run(self, op: int, places: list[int]) -> int:
        if op == -1:
            return self.builder.add(numeric.Numbers, columns=tuple(places))
        if places == list(range(self.builder.width(op))):
            return op
        return self.builder.add(numeric.Select, op, columns=tuple(places))

    def _as_number(self, one: Column) -> RawColumn | Number:
        if isinstance(one, RawColumn):
            self.use(one.source, "number")
            return one
        if isinstance(one, CodedColumn):
            gaps = frozenset({one.source}) if one.values[-2] is GAP else frozenset()
            table = self.table(one, [[self._numeric(value)] for value in one.values])
            return Number(table, 0, gaps)
        if isinstance(one, Sparse):
            raise self.refuse(
                "counts of terms reach a step other than a linear model; "
                "only linear models take them"
            )
        return one

    def _numeric(self, value: Any) -> float:
        if isinstance(value, Marker):
            return math.nan
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self.refuse(f"the category {value!r} reaches a step that needs numbers") from None

    def table(self, one: CodedColumn, rows: Sequence[Sequence[float]]) -> int:
        """Return an operation that looks codes up in a table."""
        return self.builder.add(categorical.Lookup, one.op, table=self.builder.array(rows))

    def columns_of(self, op: int, gaps: frozenset[int] = frozenset()) -> list[Column]:
        """Return an operation's numbers as columns."""
        return [Number(op, place, gaps) for place in range(self.builder.width(op))]

    def use(self, source: int, kind: str) -> None:
        """Note what an input is used as; one column cannot be two things."""
        self.used.add(source)
        now = self.builder.inputs[source]
        same = now.kind == kind or (kind == "number" and now.kind in ("integer", "boolean"))
        if same:
            return
        texts = ("category", "text")
        if now.kind in texts and kind in texts:
            self.builder.inputs[source] = changed(now, kind=kind)
            return
        raise self.refuse(f"column {now.name} holds {now.kind}, and this step needs {kind}")

    def holds_categories(self, one: Column) -> bool:
        """Say whether a column holds categories rather than numbers."""
        if isinstance(one, RawColumn):
            return self.builder.inputs[one.source].kind in ("category", "text")
        return isinstance(one, CodedColumn)

    def coded(self, one: Column, categories: Sequence[Any]) -> CodedColumn:
        """Return a column as codes that tell these categories apart."""
        if isinstance(one, CodedColumn):
            if one.source >= 0 and self.builder.inputs[one.source].kind == "category":
                self._require_categories(one.source, categories)
            return one
        if isinstance(one, RawColumn) and self.builder.inputs[one.source].kind in (
            "category",
            "text",
        ):
            self.use(one.source, "category")
            self._require_categories(one.source, categories)
            texts = self.builder.inputs[one.source].categories
            op = self.builder.add(categorical.Category, column=one.source)
            return CodedColumn(op, (*texts, GAP, UNKNOWN), one.source)
        known = self._known_numbers(categories)
        self.require(known, "an encoder of a column without a value")
        op = self.builder.add(
            categorical.Match, self.numbers([one]), values=self.builder.array(known)
        )
        source = one.source if isinstance(one, RawColumn) else -1
        return CodedColumn(op, (*known, GAP, UNKNOWN), source)

    def _known_numbers(self, categories: Sequence[Any]) -> list[float]:
        try:
            return sorted({float(value) for value in categories if not is_missing(value)})
        except (TypeError, ValueError):
            kinds = ", ".join(sorted({type(value).__name__ for value in categories}))
            raise self.refuse(
                f"an encoder learned {kinds}, and the column now holds numbers or dates; give rows "
                "of the same dtypes as when it was fitted"
            ) from None

    def _require_categories(self, source: int, categories: Sequence[Any]) -> None:
        wanted = self.required.setdefault(source, set())
        wanted.update(category_text(value) for value in categories if not is_missing(value))

    # --- what inputs must not hold ---

    def no_gaps(self, columns: Iterable[Column]) -> None:
        """Refuse gaps in the inputs that reach these columns."""
        for one in columns:
            empty: frozenset[int] = frozenset()
            sources = {one.source} if isinstance(one, RawColumn) else getattr(one, "gaps", empty)
            if isinstance(one, CodedColumn) and one.values[-2] is GAP:
                sources = {one.source}
            for source in sources:
                self.reject_missing(source)
            if isinstance(one, Number) and self._wild(one.op):
                self.finite.add(one.op)

    def _wild(self, op: int) -> bool:
        """Say whether an operation may make NaN or infinity of finite numbers."""
        waiting = [op]
        while waiting:
            one = self.builder.ops[waiting.pop()]
            if isinstance(one, numeric.Apply) and one.function in WILD:
                return True
            waiting += one.of
        return False

    def reject_missing(self, source: int) -> None:
        """Refuse gaps in an input."""
        now = self.builder.inputs[source]
        self.builder.inputs[source] = changed(now, missing="refuse")

    def refuse_unknown(self, one: CodedColumn) -> None:
        """Refuse values of the column's input that no code stands for."""
        self.require(
            one.source >= 0,
            "an encoder of computed numbers refuses unknown ones; "
            "set handle_unknown to something else and fit again",
        )
        now = self.builder.inputs[one.source]
        categories = now.categories
        if now.kind != "category":
            categories = tuple(category_text(value) for value in one.values[:-2])
        self.builder.inputs[one.source] = changed(now, unknown="refuse", categories=categories)

    def gaps_of(self, columns: Iterable[Column]) -> frozenset[int]:
        """Return the inputs whose gaps reach these columns."""
        found: set[int] = set()
        for one in columns:
            if isinstance(one, RawColumn) or (
                isinstance(one, CodedColumn) and one.values[-2] is GAP
            ):
                found.add(one.source)
            elif isinstance(one, Number):
                found |= one.gaps
        return frozenset(found)


def changed(one: ColumnInput, **fields: Any) -> ColumnInput:
    """Return an input with other fields."""
    now = {name: getattr(one, name) for name in one.__struct_fields__}
    return ColumnInput(**{**now, **fields})
