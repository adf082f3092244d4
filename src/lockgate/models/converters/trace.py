"""Runs a fitted pipeline on symbolic columns, and records the operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from lockgate.data.columns.categories import category_text
from lockgate.data.columns.dates import is_missing
from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import NotCovered
from lockgate.models.converters.symbols import (
    MISSING,
    UNKNOWN,
    CodedColumn,
    Column,
    Marker,
    Number,
    RawColumn,
    Sparse,
    Term,
)
from lockgate.models.packed.format import categorical, numeric
from lockgate.models.packed.format.term_columns import DenseTerms
from lockgate.models.packed.format.writer import Builder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["TOLERANCE", "Converter", "Trace"]

UNBOUNDED_FUNCTIONS = ("exp", "expm1", "log", "log1p", "sqrt", "square")
"""Functions that turn some finite numbers into NaN or infinity."""
TOLERANCE = 1e-12
"""Largest difference of a probability, or relative difference of a regression."""


Converter: TypeAlias = "Callable[[Trace, BaseEstimator, list[Column]], Any]"
"""Converts a fitted estimator: returns columns, or a `ConvertedModel`."""


class Trace:
    """The state of packing one model; converters add operations and restrict inputs here.

    Parameters
    ----------
    inputs : sequence of ColumnInput
        Columns of the training table.
    categories : dict
        Known categories by index of the input, from an earlier pass.
    convert : callable
        Function from an estimator to its converter.
    none_columns : collection of str
        Columns whose missing cells are None for the estimator, as texts have them in columns of
        objects; NaN elsewhere.

    """

    def __init__(
        self,
        inputs: Sequence[ColumnInput],
        categories: dict[int, tuple[str, ...]],
        convert: Callable[[BaseEstimator], Converter],
        none_columns: Collection[str] = (),
    ) -> None:
        self.inputs = [
            replace_fields(column, categories=categories.get(k, ()))
            for k, column in enumerate(inputs)
        ]
        self.builder = Builder(self.inputs)
        self.required: dict[int, set[str]] = {}
        self.allowed: dict[int, set[float]] = {}
        self.used: set[int] = set()
        self.convert = convert
        self.none_sources = {k for k, column in enumerate(inputs) if column.name in none_columns}
        self.tolerance = TOLERANCE
        self.finite: set[int] = set()
        self.short: set[int] = set()
        self.path: list[str] = []
        self.steps: list[str] = []

    # --- checks of estimators ---

    def refuse(self, message: str) -> NotCovered:
        """Return the error for the current step, for the caller to raise."""
        where = ".".join(self.path)
        return NotCovered(f"{where}: {message}" if where else message)

    def require(self, condition: object, message: str) -> None:
        """Raise NotCovered with the message unless the condition is true."""
        if not condition:
            raise self.refuse(message)

    def present(self, op: int | None, message: str) -> int:
        """Return the operation, or raise NotCovered with the message if there is none."""
        if op is None:
            raise self.refuse(message)
        return op

    def attribute(self, estimator: BaseEstimator, *names: str) -> Any:
        """Return the first of these attributes that exists, or raise NotCovered."""
        for name in names:
            if hasattr(estimator, name):
                return getattr(estimator, name)
        class_name = type(estimator).__name__
        joined_names = " or ".join(names)
        raise self.refuse(
            f"{class_name} has no {joined_names}: it is not fitted, or its version is not "
            "supported; fit it, or see docs/packing.md for the supported versions"
        )

    def allow_tolerance(self, tolerance: float) -> None:
        """Allow predictions to differ by that much, for a library that adds in 32 bits."""
        self.tolerance = max(self.tolerance, tolerance)

    # --- columns to operations ---

    def numbers(self, columns: Iterable[Column]) -> int:
        """Return an operation that gives these columns as numbers, in order."""
        number_columns = [self._as_number(column) for column in self.expand(columns)]
        self.require(number_columns, "this step has no columns")
        runs: list[tuple[int, bool, list[int]]] = []
        for column in number_columns:
            op = -1 if isinstance(column, RawColumn) else column.op
            index = column.source if isinstance(column, RawColumn) else column.index
            sparse = isinstance(column, Term)
            if runs and runs[-1][:2] == (op, sparse):
                runs[-1][2].append(index)
            else:
                runs.append((op, sparse, [index]))
        parts = [self._run(op, indices, sparse=sparse) for op, sparse, indices in runs]
        return parts[0] if len(parts) == 1 else self.builder.add(numeric.Concat, *parts)

    def _run(self, op: int, indices: list[int], *, sparse: bool) -> int:
        if op == -1:
            return self.builder.add(numeric.Numbers, columns=tuple(indices))
        if sparse:
            terms = sorted(set(indices))
            op = self.builder.add(DenseTerms, op, columns=self.builder.array(terms, "u4"))
            positions = {term: k for k, term in enumerate(terms)}
            indices = [positions[index] for index in indices]
        if indices == list(range(self.builder.width(op))):
            return op
        return self.builder.add(numeric.Select, op, columns=tuple(indices))

    def width(self, column: Column) -> int:
        """Return how many columns a symbolic column stands for."""
        return self.builder.width(column.op) if isinstance(column, Sparse) else 1

    def expand(self, columns: Iterable[Column]) -> list[Column]:
        """Return columns each by itself: counts of terms as one column per term."""
        return [
            part
            for column in columns
            for part in (
                [Term(column.op, k) for k in range(self.builder.width(column.op))]
                if isinstance(column, Sparse)
                else [column]
            )
        ]

    def _as_number(self, column: Column) -> RawColumn | Number | Term:
        if isinstance(column, RawColumn):
            self.use(column.source, "number")
            return column
        if isinstance(column, CodedColumn):
            missing_sources = (
                frozenset({column.source}) if column.values[-2] is MISSING else frozenset()
            )
            table = self.table(column, [[self._numeric(value)] for value in column.values])
            return Number(table, 0, missing_sources)
        assert not isinstance(column, Sparse)  # it was expanded
        return column

    def _numeric(self, value: Any) -> float:
        if isinstance(value, Marker):
            return math.nan
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self.refuse(f"the category {value!r} reaches a step that needs numbers") from None

    def arith(self, op: int, how: str, values: ArrayLike) -> int:
        """Return an operation that adds, subtracts, multiplies or divides by column."""
        return self.builder.add(numeric.Arith, op, how=how, values=self.builder.array(values))

    def table(self, column: CodedColumn, rows: Sequence[Sequence[float]]) -> int:
        """Return an operation that maps codes to rows of a table."""
        return self.builder.add(categorical.Lookup, column.op, table=self.builder.array(rows))

    def columns_of(self, op: int, missing_sources: frozenset[int] = frozenset()) -> list[Column]:
        """Return an operation's numbers as columns."""
        return [Number(op, index, missing_sources) for index in range(self.builder.width(op))]

    def use(self, source: int, kind: str) -> None:
        """Record the kind of cells that a step needs of an input; steps must agree."""
        self.used.add(source)
        column_input = self.builder.inputs[source]
        same = column_input.kind == kind or (
            kind == "number" and column_input.kind in ("integer", "boolean")
        )
        if same:
            return
        texts = ("category", "text")
        if column_input.kind in texts and kind in texts:
            self.builder.inputs[source] = replace_fields(column_input, kind=kind)
            return
        raise self.refuse(
            f"column {column_input.name} is of kind {column_input.kind}, this step needs {kind}"
        )

    def holds_categories(self, column: Column) -> bool:
        """Return whether a column contains categories rather than numbers."""
        if isinstance(column, RawColumn):
            return self.builder.inputs[column.source].kind in ("category", "text")
        return isinstance(column, CodedColumn)

    def coded(self, column: Column, categories: Sequence[object]) -> CodedColumn:
        """Return a column as codes, with one for each of these categories."""
        if isinstance(column, CodedColumn):
            if column.source >= 0 and self.builder.inputs[column.source].kind == "category":
                self._require_categories(column.source, categories)
            return column
        if isinstance(column, RawColumn) and self.builder.inputs[column.source].kind in (
            "category",
            "text",
        ):
            self.use(column.source, "category")
            self._require_categories(column.source, categories)
            texts = self.builder.inputs[column.source].categories
            op = self.builder.add(categorical.Category, column=column.source)
            return CodedColumn(op, (*texts, MISSING, UNKNOWN), column.source)
        known = self._known_numbers(categories)
        self.require(known, "an encoder of a column without values")
        op = self.builder.add(
            categorical.Match, self.numbers([column]), values=self.builder.array(known)
        )
        source = column.source if isinstance(column, RawColumn) else -1
        return CodedColumn(op, (*known, MISSING, UNKNOWN), source)

    def _known_numbers(self, categories: Sequence[Any]) -> list[float]:
        try:
            return sorted({float(value) for value in categories if not is_missing(value)})
        except (TypeError, ValueError):
            kinds = ", ".join(sorted({type(value).__name__ for value in categories}))
            raise self.refuse(
                f"an encoder was fitted on {kinds}, and the column holds numbers or dates, as "
                "the packed model reads it; convert it to texts before fit, e.g. "
                "column.astype(str), or pass the rows with the dtypes of fit"
            ) from None

    def _require_categories(self, source: int, categories: Sequence[object]) -> None:
        required = self.required.setdefault(source, set())
        required.update(category_text(value) for value in categories if not is_missing(value))

    # --- restrictions of inputs ---

    def require_no_missing(self, columns: Iterable[Column]) -> None:
        """Disallow missing values in the inputs that these columns depend on."""
        for column in columns:
            for source in self.find_missing_sources([column]):
                self.reject_missing(source)
            if isinstance(column, Number) and self._may_be_infinite(column.op):
                self.finite.add(column.op)

    def _may_be_infinite(self, op: int) -> bool:
        """Return whether an operation may turn finite numbers into NaN or infinity."""
        pending = [op]
        while pending:
            operation = self.builder.ops[pending.pop()]
            if isinstance(operation, numeric.Apply) and operation.function in UNBOUNDED_FUNCTIONS:
                return True
            pending += operation.of
        return False

    def reject_missing(self, source: int) -> None:
        """Disallow missing values in an input."""
        column_input = self.builder.inputs[source]
        self.builder.inputs[source] = replace_fields(column_input, missing="refuse")

    def refuse_unknown(self, column: CodedColumn) -> None:
        """Disallow values of the column's input that have no code."""
        self.require(
            column.source >= 0,
            "an encoder of computed numbers rejects unknown values; "
            "set handle_unknown to another value and fit again",
        )
        column_input = self.builder.inputs[column.source]
        categories = column_input.categories
        if column_input.kind != "category":
            categories = tuple(category_text(value) for value in column.values[:-2])
        self.builder.inputs[column.source] = replace_fields(
            column_input, unknown="refuse", categories=categories
        )

    def find_missing_sources(self, columns: Iterable[Column]) -> frozenset[int]:
        """Return the inputs whose missing values reach these columns."""
        sources: set[int] = set()
        for column in columns:
            if isinstance(column, RawColumn) or (
                isinstance(column, CodedColumn) and column.values[-2] is MISSING
            ):
                sources.add(column.source)
            elif isinstance(column, Number):
                sources |= column.missing_sources
        return frozenset(sources)


def replace_fields(column_input: ColumnInput, **fields: Any) -> ColumnInput:
    """Return an input with other fields."""
    return msgspec.structs.replace(column_input, **fields)
