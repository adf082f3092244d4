"""Converters of scikit-learn's transformers, and of lockgate's cell rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lockgate.data.transformers import CYCLES, circle
from lockgate.models.converters.symbols import Column, Number, RawColumn, Sparse
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import categorical, combinations, numeric
from lockgate.models.packed.format.text import WeighTerms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["TRANSFORMERS", "binarize", "scale_columns"]


def scale_columns(
    trace: Trace, columns: list[Column], steps: Sequence[tuple[str, ArrayLike | None]]
) -> list[Column]:
    """Return columns after additions, subtractions, products and quotients, where not None."""
    if any(isinstance(column, Sparse) for column in columns):
        return _scale_terms(trace, columns, steps)
    missing_sources = trace.find_missing_sources(columns)
    op = trace.numbers(columns)
    for how, values in steps:
        if values is not None:
            op = trace.arith(op, how, values)
    return trace.columns_of(op, missing_sources)


def _scale_terms(
    trace: Trace, columns: list[Column], steps: Sequence[tuple[str, ArrayLike | None]]
) -> list[Column]:
    """Scale counts of terms, which stay sparse, and the columns beside them."""
    active = [(how, np.asarray(values)) for how, values in steps if values is not None]
    sparse = all(how in ("divide", "multiply") for how, _ in active)
    trace.require(sparse, "counts of terms are moved away from zero")
    scaled: list[Column] = []
    offset = 0
    for column in columns:
        span = slice(offset, offset + trace.width(column))
        offset = span.stop
        if not isinstance(column, Sparse):
            scaled += scale_columns(
                trace, [column], [(how, values[span]) for how, values in active]
            )
            continue
        op = column.op
        for how, values in active:  # scikit-learn multiplies by the reciprocal
            factors = values[span] if how == "multiply" else 1.0 / values[span]
            op = trace.builder.add(WeighTerms, op, weights=trace.builder.array(factors))
        scaled.append(Sparse(op))
    return scaled


def standard_scaler(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """(x - mean) / scale, each where enabled."""
    mean = trace.attribute(est, "mean_") if est.with_mean else None
    scale = trace.attribute(est, "scale_") if est.with_std else None
    return scale_columns(trace, columns, [("subtract", mean), ("divide", scale)])


def min_max_scaler(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """X * scale + min, clipped where enabled."""
    scale, minimum = trace.attribute(est, "scale_"), trace.attribute(est, "min_")
    scaled = scale_columns(trace, columns, [("multiply", scale), ("add", minimum)])
    return _clip_if_enabled(trace, est, scaled, est.feature_range)


def max_abs_scaler(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """X / scale."""
    scaled = scale_columns(trace, columns, [("divide", trace.attribute(est, "scale_"))])
    return _clip_if_enabled(trace, est, scaled, (-1.0, 1.0))


def _clip_if_enabled(
    trace: Trace, est: BaseEstimator, columns: list[Column], span: tuple[float, float]
) -> list[Column]:
    if not getattr(est, "clip", False):
        return columns
    array, numbers = trace.builder.array, trace.numbers(columns)
    width = trace.builder.width(numbers)
    low, high = array(np.full(width, span[0])), array(np.full(width, span[1]))
    op = trace.builder.add(numeric.Clip, numbers, low=low, high=high)
    return trace.columns_of(op, trace.find_missing_sources(columns))


def robust_scaler(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """(x - center) / scale, each where enabled."""
    centre = trace.attribute(est, "center_") if est.with_centering else None
    scale = trace.attribute(est, "scale_") if est.with_scaling else None
    return scale_columns(trace, columns, [("subtract", centre), ("divide", scale)])


def normalizer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Rows of norm 1."""
    trace.require_no_missing(columns)
    if len(columns) == 1 and isinstance(columns[0], Sparse):
        return [Sparse(trace.builder.add(WeighTerms, columns[0].op, norm=est.norm))]
    return trace.columns_of(
        trace.builder.add(combinations.RowNorm, trace.numbers(columns), norm=est.norm)
    )


def binarizer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """1 above a threshold, else 0."""
    return binarize(trace, columns, float(est.threshold))


def binarize(trace: Trace, columns: list[Column], threshold: float) -> list[Column]:
    """Return 1 for each number above a threshold, else 0."""
    trace.require_no_missing(columns)
    if len(columns) == 1 and isinstance(columns[0], Sparse) and threshold == 0:
        return [Sparse(trace.builder.add(WeighTerms, columns[0].op, binary=True))]
    op = trace.numbers(columns)
    if threshold:
        op = trace.arith(op, "subtract", np.full(trace.builder.width(op), threshold))
    return trace.columns_of(trace.builder.add(numeric.Apply, op, function="positive"))


def polynomial_features(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Products of columns."""
    trace.require_no_missing(columns)
    factors = tuple(
        tuple(k for k, power in enumerate(row) for _ in range(int(power)))
        for row in trace.attribute(est, "powers_")
    )
    return trace.columns_of(
        trace.builder.add(combinations.Products, trace.numbers(columns), factors=factors)
    )


FUNCTIONS = {
    "absolute": "abs",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "negative": "negate",
    "sqrt": "sqrt",
    "square": "square",
    "tanh": "tanh",
    "expit": "sigmoid",
}
"""Functions of the format by their name in NumPy and SciPy."""


def function_transformer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """A known function, or the columns unchanged."""
    inner = getattr(est.func, "func", None)  # the input check of histogram boosting
    if est.func is None or getattr(inner, "__name__", "") == "check_array":
        return columns
    trace.require(
        not est.kw_args,
        "a function with kw_args, which is custom code; compute this column before the pipeline",
    )
    return apply_function(trace, est.func, columns)


def apply_function(
    trace: Trace, function: Callable[..., object], columns: list[Column]
) -> list[Column]:
    """Apply a function of the fixed list."""
    name = getattr(function, "__name__", "")
    known = type(function).__name__ == "ufunc" and name in FUNCTIONS
    trace.require(
        known,
        f"the function {name or function!r} has no packed form; "
        f"use one of {', '.join('numpy.' + ufunc for ufunc in FUNCTIONS if ufunc != 'expit')}, "
        "or compute this column before the pipeline",
    )
    missing_sources = trace.find_missing_sources(columns)
    op = trace.builder.add(numeric.Apply, trace.numbers(columns), function=FUNCTIONS[name])
    return trace.columns_of(op, missing_sources)


def column_transformer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Concatenate the results of each part on its columns."""
    input_indices = trace.attribute(est, "_transformer_to_input_indices")
    weights = est.transformer_weights or {}
    transformed: list[Column] = []
    for name, part, _ in trace.attribute(est, "transformers_"):
        chosen = [columns[k] for k in input_indices.get(name, [])]
        if chosen:
            part_columns = convert_step(trace, name, part, chosen)
            transformed += _weigh(trace, part_columns, weights.get(name))
    return transformed


def feature_union(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Concatenate the results of each part on all columns."""
    transformed: list[Column] = []
    weights = est.transformer_weights or {}
    for name, part in est.transformer_list:
        part_columns = convert_step(trace, name, part, columns)
        transformed += _weigh(trace, part_columns, weights.get(name))
    return transformed


def _weigh(trace: Trace, columns: list[Column], weight: float | None) -> list[Column]:
    """Multiply columns by the weight of their transformer."""
    if weight is None or not columns:
        return columns
    width = sum(trace.width(column) for column in columns)
    return scale_columns(trace, columns, [("multiply", np.full(width, weight))])


def convert_step(
    trace: Trace, name: str, part: BaseEstimator | str | None, columns: list[Column]
) -> list[Column]:
    """Convert one named transformer."""
    if part is None or (isinstance(part, str) and part == "passthrough"):
        return columns
    if isinstance(part, str) and part == "drop":
        return []
    trace.path.append(name)
    converted: Any = trace.convert(part)(trace, part, columns)
    name = type(part).__name__
    trace.require(
        isinstance(converted, list),
        f"{name} is covered only as the last step",
    )
    trace.steps.append(f"{'.'.join(trace.path)}: {name}")
    trace.path.pop()
    return cast("list[Column]", converted)


def clip(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Limit numbers to learned quantiles."""
    missing_sources = trace.find_missing_sources(columns)
    array = trace.builder.array
    op = trace.builder.add(
        numeric.Clip, trace.numbers(columns), low=array(est.low_), high=array(est.high_)
    )
    return trace.columns_of(op, missing_sources)


def empty_to_zero(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Set columns that were empty in training to zero."""
    if not est.empty_.any():
        return columns
    zeros = trace.builder.array(np.zeros(len(columns)))
    zeroed = trace.arith(trace.numbers(columns), "multiply", np.where(est.empty_, 0.0, 1.0))
    op = trace.builder.add(numeric.Fill, zeroed, values=zeros)
    unchanged = trace.numbers(columns)
    return [
        Number(
            op if est.empty_[k] else unchanged,
            k,
            frozenset() if est.empty_[k] else trace.find_missing_sources([column]),
        )
        for k, column in enumerate(columns)
    ]


def parts_of_dates(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Days since 1970, month, weekday and hour."""
    date_parts: list[Column] = []
    for column in columns:
        if not isinstance(column, RawColumn):
            raise trace.refuse("dates from another step; use the date column directly")
        trace.use(column.source, "date")
        op = trace.builder.add(numeric.Date, column=column.source)
        sources = frozenset({column.source})
        if not est.cyclic:
            date_parts += trace.columns_of(op, sources)
            continue
        date_parts.append(Number(op, 0, sources))
        for part, (count, first) in enumerate(zip(CYCLES, (1, 0, 0), strict=True), 1):
            chosen = trace.builder.add(numeric.Select, op, columns=(part,))
            edges = trace.builder.array(np.arange(1, count) + first - 0.5)
            codes = trace.builder.add(categorical.Bins, chosen, edges=edges)
            rows = trace.builder.array([*circle(count).tolist(), [math.nan] * 2, [math.nan] * 2])
            table = trace.builder.add(categorical.Lookup, codes, table=rows)
            date_parts += trace.columns_of(table, sources)
    return date_parts


def combined(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The difference or ratio of two columns of numbers or dates."""
    sources = trace.find_missing_sources(columns)
    operands = []
    for column in columns:
        is_date = (
            isinstance(column, RawColumn) and trace.builder.inputs[column.source].kind == "date"
        )
        if is_date and isinstance(column, RawColumn):
            trace.use(column.source, "date")
            parts = trace.builder.add(numeric.Date, column=column.source)
            operands.append(trace.builder.add(numeric.Select, parts, columns=(0,)))
        else:
            operands.append(trace.numbers([column]))
    op = trace.builder.add(combinations.Combine, *operands, how=est.how)
    return trace.columns_of(op, sources)


TRANSFORMERS = {
    "lockgate.Clip": clip,
    "lockgate.Combined": combined,
    "lockgate.DateParts": parts_of_dates,
    "lockgate.EmptyToZero": empty_to_zero,
    "sklearn.Binarizer": binarizer,
    "sklearn.ColumnTransformer": column_transformer,
    "sklearn.FeatureUnion": feature_union,
    "sklearn.FunctionTransformer": function_transformer,
    "sklearn.MaxAbsScaler": max_abs_scaler,
    "sklearn.MinMaxScaler": min_max_scaler,
    "sklearn.Normalizer": normalizer,
    "sklearn.PolynomialFeatures": polynomial_features,
    "sklearn.RobustScaler": robust_scaler,
    "sklearn.StandardScaler": standard_scaler,
}
"""Converters of transformers by library and class."""
