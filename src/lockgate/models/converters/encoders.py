"""Converters of imputers and encoders: from gaps and categories to numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn

from lockgate.data.columns.categories import category_text
from lockgate.data.columns.dates import is_missing
from lockgate.models.converters.symbols import GAP, UNKNOWN, CodedColumn, Column, Number, RawColumn
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import categorical, numeric

__all__ = ["ENCODERS"]


def simple_imputer(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Gaps become the learned values; columns that were empty are left out."""
    values = trace.attribute(est, "statistics_")
    gap = est.missing_values
    texts = [isinstance(one, (CodedColumn, RawColumn)) and _is_text(trace, one) for one in columns]
    empty = [is_missing(value) and not texts[k] for k, value in enumerate(values)]
    keep = [k for k in range(len(columns)) if not empty[k]]
    made: list[Column] = []
    if any(texts):
        trace.require(all(texts), "one imputer of numbers and categories together")
        trace.require(is_missing(gap), f"missing_values={gap!r} of categories; use NaN or None")
        made = [_filled(trace, columns[k], values[k]) for k in keep]
    elif keep:
        op = trace.numbers([columns[k] for k in keep])
        number = None if is_missing(gap) else float(gap)
        filled = trace.builder.array(np.asarray(values, dtype=float)[keep])
        op = trace.builder.add(numeric.Fill, op, values=filled, gap=number)
        if number is not None:
            trace.no_gaps(columns)
        made = trace.columns_of(op)
    indicator = getattr(est, "indicator_", None)
    return made + (missing_indicator(trace, indicator, columns) if indicator is not None else [])


def _is_text(trace: Trace, one: CodedColumn | RawColumn) -> bool:
    if isinstance(one, CodedColumn):
        return any(isinstance(value, str) for value in one.values)
    return trace.builder.inputs[one.source].kind in ("category", "text")


def _filled(trace: Trace, one: Column, value: Any) -> CodedColumn:
    coded = trace.coded(one, [value])
    return CodedColumn(
        coded.op, tuple(value if v is GAP else v for v in coded.values), coded.source
    )


def missing_indicator(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """1 where there was a gap."""
    features = [int(k) for k in trace.attribute(est, "features_")]
    if est.error_on_new and est.features == "missing-only":
        trace.no_gaps([one for k, one in enumerate(columns) if k not in features])
    if not features:
        return []
    chosen = [columns[k] for k in features]
    if not any(
        isinstance(one, (CodedColumn, RawColumn)) and _is_text(trace, one) for one in chosen
    ):
        return _number_gaps(trace, est, chosen)
    made: list[Column] = []
    for one in chosen:
        if isinstance(one, (CodedColumn, RawColumn)) and _is_text(trace, one):
            coded = trace.coded(one, [])
            rows = [[float(value is GAP)] for value in coded.values]
            made.append(Number(trace.table(coded, rows), 0))
        else:
            made += _number_gaps(trace, est, [one])
    return made


def _number_gaps(trace: Trace, est: Any, chosen: list[Column]) -> list[Column]:
    gap = None if is_missing(est.missing_values) else float(est.missing_values)
    op = trace.builder.add(
        numeric.Gaps, trace.numbers(chosen), columns=tuple(range(len(chosen))), gap=gap
    )
    return trace.columns_of(op)


def _place(value: Any, categories: Sequence[Any], texts: bool) -> int | None:
    """Return the place of what a code stands for among an encoder's categories."""
    if value is UNKNOWN:
        return None
    if value is GAP:
        return next((k for k, one in enumerate(categories) if is_missing(one)), None)
    if texts:
        wanted = category_text(value)
        known = {category_text(one): k for k, one in enumerate(categories) if not is_missing(one)}
        return known.get(wanted)
    return next(
        (k for k, one in enumerate(categories) if not is_missing(one) and one == value), None
    )


def _placed(
    trace: Trace, one: Column, categories: Sequence[Any], refuses: bool
) -> tuple[CodedColumn, list[int | None]]:
    """Return codes and the category's place of each; None where the encoder knows none."""
    coded = trace.coded(one, categories)
    texts = any(isinstance(value, str) for value in (*coded.values, *categories))
    known = {}
    if texts:
        known = {category_text(c): k for k, c in enumerate(categories) if not is_missing(c)}
    places = [
        known.get(category_text(value))
        if texts and value not in (GAP, UNKNOWN)
        else _place(value, categories, texts)
        for value in coded.values
    ]
    if refuses:
        strange = [v for v, k in zip(coded.values[:-2], places[:-2], strict=True) if k is None]
        trace.require(not strange, f"two encoders of one column differ about {strange[:5]}")
        if places[-1] is None:
            trace.refuse_unknown(coded)
        if places[-2] is None:
            trace.no_gaps([coded])
    return coded, places


def one_hot_encoder(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """One column a category, rare ones in one, one of them left out where that is on."""
    learned = trace.attribute(est, "categories_")
    mappings = getattr(est, "_default_to_infrequent_mappings", None) or [None] * len(learned)
    drops = getattr(est, "_drop_idx_after_grouping", None)
    made: list[Column] = []
    for k, (one, categories) in enumerate(zip(columns, learned, strict=True)):
        refuses = est.handle_unknown == "error"
        coded, places = _placed(trace, one, list(categories), refuses)
        mapping, drop = mappings[k], None if drops is None else drops[k]
        rare = None if mapping is None else int(np.max(mapping))
        unknown = rare if _joins_rare(est.handle_unknown) else None
        grouped = [
            unknown if place is None else place if mapping is None else int(mapping[place])
            for place in places
        ]
        width = (len(categories) if mapping is None else int(np.max(mapping)) + 1) - (
            drop is not None
        )
        if width:
            final = [_after_drop(place, drop) for place in grouped]
            hot = trace.builder.array(final, "i4")
            op = trace.builder.add(categorical.OneHot, coded.op, places=hot, width=width)
            made += trace.columns_of(op)
    return made


def _joins_rare(option: str) -> bool:
    """Say whether a category that training never saw counts as a rare one."""
    if option == "warn":
        # before 1.8, scikit-learn left such a row without a category
        return tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8)
    return option == "infrequent_if_exist"


def _after_drop(place: int | None, drop: Any) -> int:
    if place is None or (drop is not None and place == drop):
        return -1
    return place - 1 if drop is not None and place > drop else place


def ordinal_encoder(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """The number of a category."""
    learned = trace.attribute(est, "categories_")
    mappings = getattr(est, "_default_to_infrequent_mappings", None) or [None] * len(learned)
    made: list[Column] = []
    for k, (one, categories) in enumerate(zip(columns, learned, strict=True)):
        refuses = est.handle_unknown == "error"
        coded, places = _placed(trace, one, list(categories), refuses)
        unknown = math.nan if est.unknown_value is None else float(est.unknown_value)
        rows = []
        for place in places:
            if place is None:
                rows.append([unknown])
            elif is_missing(categories[place]):
                rows.append([float(est.encoded_missing_value)])
            else:
                rows.append([float(place if mappings[k] is None else mappings[k][place])])
        op = trace.table(coded, rows)
        made.append(Number(op, 0, _table_gaps(coded, rows)))
    return made


def _table_gaps(coded: CodedColumn, rows: list[list[float]]) -> frozenset[int]:
    return frozenset({coded.source} if any(math.isnan(one[0]) for one in rows) else ())


def target_encoder(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """The mean target of a category, shrunk; unknown categories get the overall mean."""
    learned, found = trace.attribute(est, "categories_"), trace.attribute(est, "encodings_")
    overall = np.atleast_1d(trace.attribute(est, "target_mean_"))
    each = len(found) // len(learned)
    made: list[Column] = []
    for k, (one, categories) in enumerate(zip(columns, learned, strict=True)):
        coded, places = _placed(trace, one, list(categories), False)
        rows = [
            [float(overall[c] if p is None else found[k * each + c][p]) for c in range(each)]
            for p in places
        ]
        made += trace.columns_of(trace.table(coded, rows))
    return made


def kbins_discretizer(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """The bin of a number, as one column or as one column a bin."""
    trace.no_gaps(columns)
    made: list[Column] = []
    for one, edges in zip(columns, trace.attribute(est, "bin_edges_"), strict=True):
        inner = np.asarray(edges, dtype=float)[1:-1]
        op = trace.builder.add(
            categorical.Bins, trace.numbers([one]), edges=trace.builder.array(inner)
        )
        if est.encode == "ordinal":
            table = [[float(k)] for k in range(len(inner) + 1)] + [[0.0], [0.0]]
            made.append(
                Number(
                    trace.builder.add(categorical.Lookup, op, table=trace.builder.array(table)), 0
                )
            )
        else:
            made += _hot_bins(trace, op, len(inner) + 1)
    return made


def _hot_bins(trace: Trace, op: int, count: int) -> list[Column]:
    places = trace.builder.array([*range(count), -1, -1], "i4")
    return trace.columns_of(trace.builder.add(categorical.OneHot, op, places=places, width=count))


def bins(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """One column a bin; a gap is in none."""
    op = trace.builder.add(
        categorical.Bins, trace.numbers(columns), edges=trace.builder.array(est.edges)
    )
    return _hot_bins(trace, op, len(est.edges) + 1)


ENCODERS = {
    "lockgate.Bins": bins,
    "sklearn.KBinsDiscretizer": kbins_discretizer,
    "sklearn.MissingIndicator": missing_indicator,
    "sklearn.OneHotEncoder": one_hot_encoder,
    "sklearn.OrdinalEncoder": ordinal_encoder,
    "sklearn.SimpleImputer": simple_imputer,
    "sklearn.TargetEncoder": target_encoder,
}
"""Converters of imputers and encoders by library and class."""
