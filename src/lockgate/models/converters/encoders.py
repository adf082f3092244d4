"""Converters of imputers and encoders: from missing values and categories to numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import sklearn

from lockgate.data.columns.categories import category_text
from lockgate.data.columns.dates import is_missing
from lockgate.models.converters.symbols import (
    MISSING,
    UNKNOWN,
    CodedColumn,
    Column,
    Number,
    RawColumn,
)
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import categorical, numeric

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["ENCODERS"]


def simple_imputer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Replace missing values by the learned values; drop columns that were empty."""
    values = trace.attribute(est, "statistics_")
    columns = trace.expand(columns)
    missing_value = est.missing_values
    texts = [
        isinstance(column, (CodedColumn, RawColumn)) and _is_text(trace, column)
        for column in columns
    ]
    empty = [is_missing(value) and not texts[k] for k, value in enumerate(values)]
    keep = [k for k in range(len(columns)) if not empty[k]]
    imputed: list[Column] = []
    if any(texts):
        trace.require(
            all(texts), "one imputer for numbers and categories; use one imputer for each"
        )
        trace.require(
            is_missing(missing_value),
            f"missing_values={missing_value!r} for categories; use NaN or None",
        )
        imputed = [
            _fill_missing(trace, columns[k], values[k])
            if _is_missing_for(trace, est, columns[k])
            else columns[k]
            for k in keep
        ]
    elif keep:
        op = trace.numbers([columns[k] for k in keep])
        number = None if is_missing(missing_value) else float(missing_value)
        filled = trace.builder.array(np.asarray(values, dtype=float)[keep])
        op = trace.builder.add(numeric.Fill, op, values=filled, missing_value=number)
        if number is not None:
            trace.require_no_missing(columns)
        imputed = trace.columns_of(op)
    indicator = getattr(est, "indicator_", None)
    return imputed + (missing_indicator(trace, indicator, columns) if indicator is not None else [])


def _is_text(trace: Trace, column: CodedColumn | RawColumn) -> bool:
    if isinstance(column, CodedColumn):
        return any(isinstance(value, str) for value in column.values)
    return trace.builder.inputs[column.source].kind in ("category", "text")


def _is_missing_for(trace: Trace, est: BaseEstimator, column: Column) -> bool:
    """Whether missing cells are what an imputer replaces: for NaN, None is a text like others."""
    is_nan = isinstance(est.missing_values, float) and math.isnan(est.missing_values)
    source = column.source if isinstance(column, (CodedColumn, RawColumn)) else -1
    return not (is_nan and source in trace.none_sources)


def _fill_missing(trace: Trace, column: Column, value: object) -> CodedColumn:
    coded = trace.coded(column, [value])
    return CodedColumn(
        coded.op, tuple(value if v is MISSING else v for v in coded.values), coded.source
    )


def missing_indicator(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """1 where the value was missing, else 0."""
    features = [int(k) for k in trace.attribute(est, "features_")]
    if est.error_on_new and est.features == "missing-only":
        trace.require_no_missing([column for k, column in enumerate(columns) if k not in features])
    if not features:
        return []
    chosen = [columns[k] for k in features]
    if not any(
        isinstance(column, (CodedColumn, RawColumn)) and _is_text(trace, column)
        for column in chosen
    ):
        return _mark_missing_numbers(trace, est, chosen)
    indicators: list[Column] = []
    for column in chosen:
        if isinstance(column, (CodedColumn, RawColumn)) and _is_text(trace, column):
            coded = trace.coded(column, [])
            marked = _is_missing_for(trace, est, column)
            rows = [[float(marked and value is MISSING)] for value in coded.values]
            indicators.append(Number(trace.table(coded, rows), 0))
        else:
            indicators += _mark_missing_numbers(trace, est, [column])
    return indicators


def _mark_missing_numbers(trace: Trace, est: BaseEstimator, chosen: list[Column]) -> list[Column]:
    missing_value = None if is_missing(est.missing_values) else float(est.missing_values)
    op = trace.builder.add(
        numeric.MissingIndicator,
        trace.numbers(chosen),
        columns=tuple(range(len(chosen))),
        missing_value=missing_value,
    )
    return trace.columns_of(op)


def _find_category(value: object, categories: Sequence[object], texts: bool) -> int | None:
    """Return the index among an encoder's categories of the value of a code."""
    if value is UNKNOWN:
        return None
    if value is MISSING:
        return next((k for k, category in enumerate(categories) if is_missing(category)), None)
    if texts:
        text = category_text(value)
        known = {
            category_text(category): k
            for k, category in enumerate(categories)
            if not is_missing(category)
        }
        return known.get(text)
    return next(
        (
            k
            for k, category in enumerate(categories)
            if not is_missing(category) and category == value
        ),
        None,
    )


def _encode_categories(
    trace: Trace, column: Column, categories: Sequence[object], reject_unknown: bool
) -> tuple[CodedColumn, list[int | None]]:
    """Return codes, and the category index of each; None where the encoder has none."""
    coded = trace.coded(column, categories)
    texts = any(isinstance(value, str) for value in (*coded.values, *categories))
    known = {}
    if texts:
        known = {category_text(c): k for k, c in enumerate(categories) if not is_missing(c)}
    indices = [
        known.get(category_text(value))
        if texts and value not in (MISSING, UNKNOWN)
        else _find_category(value, categories, texts)
        for value in coded.values
    ]
    if reject_unknown:
        unknown = [v for v, k in zip(coded.values[:-2], indices[:-2], strict=True) if k is None]
        trace.require(
            not unknown,
            f"two encoders of one column learned different categories, e.g. {unknown[:5]}",
        )
        if indices[-1] is None:
            trace.refuse_unknown(coded)
        if indices[-2] is None:
            trace.require_no_missing([coded])
    return coded, indices


def one_hot_encoder(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """One column per category; rare ones share a column, and `drop` removes one."""
    learned = trace.attribute(est, "categories_")
    mappings = getattr(est, "_default_to_infrequent_mappings", None) or [None] * len(learned)
    drops = getattr(est, "_drop_idx_after_grouping", None)
    encoded: list[Column] = []
    for column_index, (column, categories) in enumerate(zip(columns, learned, strict=True)):
        reject_unknown = est.handle_unknown == "error"
        coded, indices = _encode_categories(trace, column, list(categories), reject_unknown)
        mapping, drop = mappings[column_index], None if drops is None else drops[column_index]
        rare = None if mapping is None else int(np.max(mapping))
        unknown = rare if _joins_rare(est.handle_unknown) else None
        grouped = [
            unknown if index is None else index if mapping is None else int(mapping[index])
            for index in indices
        ]
        width = (len(categories) if mapping is None else int(np.max(mapping)) + 1) - (
            drop is not None
        )
        if width:
            final = [_shift_after_drop(index, drop) for index in grouped]
            hot = trace.builder.array(final, "i4")
            op = trace.builder.add(categorical.OneHot, coded.op, code_columns=hot, width=width)
            encoded += trace.columns_of(op)
    return encoded


def _joins_rare(option: str) -> bool:
    """Return whether a category that was not in training counts as a rare one."""
    if option == "warn":
        # before 1.8, scikit-learn encoded such a row as all zeros
        return tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8)
    return option == "infrequent_if_exist"


def _shift_after_drop(index: int | None, drop: int | None) -> int:
    if index is None or (drop is not None and index == drop):
        return -1
    return index - 1 if drop is not None and index > drop else index


def ordinal_encoder(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The index of a category, as a number."""
    learned = trace.attribute(est, "categories_")
    mappings = getattr(est, "_default_to_infrequent_mappings", None) or [None] * len(learned)
    encoded: list[Column] = []
    for column_index, (column, categories) in enumerate(zip(columns, learned, strict=True)):
        reject_unknown = est.handle_unknown == "error"
        coded, indices = _encode_categories(trace, column, list(categories), reject_unknown)
        unknown = math.nan if est.unknown_value is None else float(est.unknown_value)
        rows = []
        for index in indices:
            if index is None:
                rows.append([unknown])
            elif is_missing(categories[index]) and categories[index] is not None:
                rows.append([float(est.encoded_missing_value)])
            else:
                rows.append(
                    [
                        float(
                            index
                            if mappings[column_index] is None
                            else mappings[column_index][index]
                        )
                    ]
                )
        op = trace.table(coded, rows)
        encoded.append(Number(op, 0, _find_missing_sources(coded, rows)))
    return encoded


def _find_missing_sources(coded: CodedColumn, rows: list[list[float]]) -> frozenset[int]:
    of_missing = rows[-2]  # the last is for unknown categories
    return frozenset({coded.source} if math.isnan(of_missing[0]) else ())


def frequencies(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The share of the training rows that have a category; 0 for unknown ones."""
    encoded: list[Column] = []
    for column, names, shares in zip(
        columns, trace.attribute(est, "categories_"), est.shares_, strict=True
    ):
        coded = trace.coded(column, names)
        known = dict(zip([*names, MISSING], np.asarray(shares).tolist(), strict=True))
        rows = [
            [known.get(value if value is MISSING else category_text(value), 0.0)]
            for value in coded.values[:-1]
        ]
        encoded.append(Number(trace.table(coded, [*rows, [0.0]]), 0))
    return encoded


def target_encoder(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The shrunken mean target of a category; unknown categories get the overall mean."""
    learned, encodings = trace.attribute(est, "categories_"), trace.attribute(est, "encodings_")
    overall = np.atleast_1d(trace.attribute(est, "target_mean_"))
    class_count = len(encodings) // len(learned)
    encoded: list[Column] = []
    for k, (column, categories) in enumerate(zip(columns, learned, strict=True)):
        coded, indices = _encode_categories(trace, column, list(categories), False)
        rows = [
            [
                float(overall[c] if p is None else encodings[k * class_count + c][p])
                for c in range(class_count)
            ]
            for p in indices
        ]
        encoded += trace.columns_of(trace.table(coded, rows))
    return encoded


ENCODERS = {
    "lockgate.Frequencies": frequencies,
    "sklearn.MissingIndicator": missing_indicator,
    "sklearn.OneHotEncoder": one_hot_encoder,
    "sklearn.OrdinalEncoder": ordinal_encoder,
    "sklearn.SimpleImputer": simple_imputer,
    "sklearn.TargetEncoder": target_encoder,
}
"""Converters of imputers and encoders by library and class."""
