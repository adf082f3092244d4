"""Converters of scikit-learn's transformers, and of our own cell rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.packed import cells, models
from lockgate.packed.reading import category_text
from lockgate.packing.tracing import GAP, UNKNOWN, Coded, Column, Number, Raw, Trace, is_gap

__all__ = ["TRANSFORMERS"]


def _arith(trace: Trace, op: int, how: str, values: Any) -> int:
    add = trace.builder.add
    return add(cells.Arith, op, how=how, values=trace.builder.array(values))


def _scaled(trace: Trace, columns: list[Column], steps: Sequence[tuple[str, Any]]) -> list[Column]:
    gaps = trace.gaps_of(columns)
    op = trace.numbers(columns)
    for how, values in steps:
        if values is not None:
            op = _arith(trace, op, how, values)
    return trace.columns_of(op, gaps)


def standard_scaler(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """(x - mean) / scale, each where it is on."""
    mean = trace.attribute(est, "mean_") if est.with_mean else None
    scale = trace.attribute(est, "scale_") if est.with_std else None
    return _scaled(trace, columns, [("subtract", mean), ("divide", scale)])


def min_max_scaler(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """X * scale + min, clipped where that is on."""
    scale, least = trace.attribute(est, "scale_"), trace.attribute(est, "min_")
    made = _scaled(trace, columns, [("multiply", scale), ("add", least)])
    return _clipped(trace, est, made, est.feature_range)


def max_abs_scaler(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """X / scale."""
    made = _scaled(trace, columns, [("divide", trace.attribute(est, "scale_"))])
    return _clipped(trace, est, made, (-1.0, 1.0))


def _clipped(trace: Trace, est: Any, made: list[Column], span: tuple[float, float]) -> list[Column]:
    if not getattr(est, "clip", False):
        return made
    array = trace.builder.array
    low, high = array(np.full(len(made), span[0])), array(np.full(len(made), span[1]))
    op = trace.builder.add(cells.Clip, trace.numbers(made), low=low, high=high)
    return trace.columns_of(op, trace.gaps_of(made))


def robust_scaler(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """(x - center) / scale, each where it is on."""
    centre = trace.attribute(est, "center_") if est.with_centering else None
    scale = trace.attribute(est, "scale_") if est.with_scaling else None
    return _scaled(trace, columns, [("subtract", centre), ("divide", scale)])


def normalizer(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Rows of norm 1."""
    trace.no_gaps(columns)
    return trace.columns_of(trace.builder.add(cells.RowNorm, trace.numbers(columns), norm=est.norm))


def binarizer(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """1 above a threshold, else 0."""
    trace.no_gaps(columns)
    limit = float(est.threshold)
    made = [
        trace.builder.add(models.Above, trace.numbers([one]), limit=limit, strict=True)
        for one in columns
    ]
    return [Number(op, 0) for op in made]


def simple_imputer(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Gaps become the learned values; columns that were empty are left out."""
    values = trace.attribute(est, "statistics_")
    gap = est.missing_values
    texts = [isinstance(one, (Coded, Raw)) and _is_text(trace, one) for one in columns]
    empty = [is_gap(value) and not texts[k] for k, value in enumerate(values)]
    keep = [k for k in range(len(columns)) if not empty[k]]
    made: list[Column] = []
    if any(texts):
        trace.require(all(texts), "one imputer of numbers and categories together")
        trace.require(is_gap(gap), f"missing_values={gap!r} of categories; use NaN or None")
        made = [_filled(trace, columns[k], values[k]) for k in keep]
    elif keep:
        op = trace.numbers([columns[k] for k in keep])
        number = None if is_gap(gap) else float(gap)
        filled = trace.builder.array(np.asarray(values, dtype=float)[keep])
        op = trace.builder.add(cells.Fill, op, values=filled, gap=number)
        if number is not None:
            trace.no_gaps(columns)
        made = trace.columns_of(op)
    indicator = getattr(est, "indicator_", None)
    return made + (missing_indicator(trace, indicator, columns) if indicator is not None else [])


def _is_text(trace: Trace, one: Coded | Raw) -> bool:
    if isinstance(one, Coded):
        return any(isinstance(value, str) for value in one.values)
    return trace.builder.inputs[one.source].kind in ("category", "text")


def _filled(trace: Trace, one: Column, value: Any) -> Coded:
    coded = trace.coded(one, [value])
    return Coded(coded.op, tuple(value if v is GAP else v for v in coded.values), coded.source)


def missing_indicator(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """1 where there was a gap."""
    features = [int(k) for k in trace.attribute(est, "features_")]
    if not features:
        return []
    chosen = [columns[k] for k in features]
    if any(isinstance(one, (Coded, Raw)) and _is_text(trace, one) for one in chosen):
        made: list[Column] = []
        for one in chosen:
            coded = trace.coded(one, [])
            rows = [[float(value is GAP)] for value in coded.values]
            made.append(Number(trace.table(coded, rows), 0))
        return made
    gap = None if is_gap(est.missing_values) else float(est.missing_values)
    op = trace.builder.add(
        cells.Gaps, trace.numbers(chosen), columns=tuple(range(len(chosen))), gap=gap
    )
    return trace.columns_of(op)


def _place(value: Any, categories: Sequence[Any], texts: bool) -> int | None:
    """Return the place of what a code stands for among an encoder's categories."""
    if value is UNKNOWN:
        return None
    if value is GAP:
        return next((k for k, one in enumerate(categories) if is_gap(one)), None)
    if texts:
        wanted = category_text(value)
        known = {category_text(one): k for k, one in enumerate(categories) if not is_gap(one)}
        return known.get(wanted)
    return next((k for k, one in enumerate(categories) if not is_gap(one) and one == value), None)


def _placed(
    trace: Trace, one: Column, categories: Sequence[Any], refuses: bool
) -> tuple[Coded, list[int | None]]:
    """Return codes and the category's place of each; None where the encoder knows none."""
    coded = trace.coded(one, categories)
    texts = any(isinstance(value, str) for value in (*coded.values, *categories))
    known = {}
    if texts:
        known = {category_text(c): k for k, c in enumerate(categories) if not is_gap(c)}
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
        unknown = rare if est.handle_unknown in ("infrequent_if_exist", "warn") else None
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
            op = trace.builder.add(cells.OneHot, coded.op, places=hot, width=width)
            made += trace.columns_of(op)
    return made


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
            elif is_gap(categories[place]):
                rows.append([float(est.encoded_missing_value)])
            else:
                rows.append([float(place if mappings[k] is None else mappings[k][place])])
        op = trace.table(coded, rows)
        made.append(Number(op, 0, _table_gaps(coded, rows)))
    return made


def _table_gaps(coded: Coded, rows: list[list[float]]) -> frozenset[int]:
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
        op = trace.builder.add(cells.Bins, trace.numbers([one]), edges=trace.builder.array(inner))
        if est.encode == "ordinal":
            table = [[float(k)] for k in range(len(inner) + 1)] + [[0.0], [0.0]]
            made.append(
                Number(trace.builder.add(cells.Lookup, op, table=trace.builder.array(table)), 0)
            )
        else:
            made += _hot_bins(trace, op, len(inner) + 1)
    return made


def _hot_bins(trace: Trace, op: int, count: int) -> list[Column]:
    places = trace.builder.array([*range(count), -1, -1], "i4")
    return trace.columns_of(trace.builder.add(cells.OneHot, op, places=places, width=count))


def polynomial_features(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Products of columns."""
    trace.no_gaps(columns)
    factors = tuple(
        tuple(k for k, power in enumerate(row) for _ in range(int(power)))
        for row in trace.attribute(est, "powers_")
    )
    return trace.columns_of(
        trace.builder.add(cells.Products, trace.numbers(columns), factors=factors)
    )


FUNCTIONS = {
    "absolute": "abs", "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p",
    "negative": "negate", "sqrt": "sqrt", "square": "square", "tanh": "tanh", "expit": "sigmoid",
}  # fmt: skip
"""Functions of NumPy and SciPy by the name that the format gives them."""


def function_transformer(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """A known function, or none."""
    inner = getattr(est.func, "func", None)  # histogram boosting's own check of its input
    if est.func is None or getattr(inner, "__name__", "") == "check_array":
        return columns
    return applied(trace, est.func, columns)


def applied(trace: Trace, function: Any, columns: list[Column]) -> list[Column]:
    """Apply a function of the closed list."""
    name = getattr(function, "__name__", "")
    known = type(function).__name__ == "ufunc" and name in FUNCTIONS
    trace.require(
        known,
        f"the function {name or function!r} is your own code, and a packed model carries none; "
        f"use one of {', '.join('numpy.' + one for one in FUNCTIONS if one != 'expit')}, "
        "or compute this column before the pipeline",
    )
    gaps = trace.gaps_of(columns)
    op = trace.builder.add(cells.Apply, trace.numbers(columns), function=FUNCTIONS[name])
    return trace.columns_of(op, gaps)


def selector(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Columns that were selected."""
    trace.attribute(est, "get_support")
    return [one for one, kept in zip(columns, est.get_support(), strict=True) if kept]


def projection(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Principal components or singular vectors."""
    trace.no_gaps(columns)
    components = np.asarray(trace.attribute(est, "components_"), dtype=float)
    op = trace.numbers(columns)
    if getattr(est, "mean_", None) is not None:
        op = _arith(trace, op, "subtract", est.mean_)
    array = trace.builder.array
    op = trace.builder.add(
        models.Linear, op, weights=array(components), bias=array(np.zeros(len(components)))
    )
    if getattr(est, "whiten", False):
        scale = np.sqrt(np.asarray(est.explained_variance_))
        op = _arith(trace, op, "divide", np.maximum(scale, np.finfo(float).eps))
    return trace.columns_of(op)


def column_transformer(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Each part on its columns, side by side."""
    places = trace.attribute(est, "_transformer_to_input_indices")
    made: list[Column] = []
    for name, part, _ in trace.attribute(est, "transformers_"):
        chosen = [columns[k] for k in places.get(name, [])]
        if chosen:
            made += through(trace, name, part, chosen)
    return made


def feature_union(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Each part on all columns, side by side."""
    made: list[Column] = []
    weights = est.transformer_weights or {}
    for name, part in est.transformer_list:
        found = through(trace, name, part, columns)
        if name in weights and found:
            found = _scaled(trace, found, [("multiply", np.full(len(found), weights[name]))])
        made += found
    return made


def through(trace: Trace, name: str, part: Any, columns: list[Column]) -> list[Column]:
    """Follow columns through one named transformer."""
    if part is None or (isinstance(part, str) and part == "passthrough"):
        return columns
    if isinstance(part, str) and part == "drop":
        return []
    trace.path.append(name)
    found: list[Column] = trace.convert(part)(trace, part, columns)
    trace.steps.append(f"{'.'.join(trace.path)}: {type(part).__name__}")
    trace.path.pop()
    return found


def clip(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Keep numbers within learned quantiles."""
    gaps = trace.gaps_of(columns)
    array = trace.builder.array
    op = trace.builder.add(
        cells.Clip, trace.numbers(columns), low=array(est.low_), high=array(est.high_)
    )
    return trace.columns_of(op, gaps)


def empty_to_zero(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Write zeros into columns that were empty."""
    if not est.empty_.any():
        return columns
    zeros = trace.builder.array(np.zeros(len(columns)))
    nothing = _arith(trace, trace.numbers(columns), "multiply", np.where(est.empty_, 0.0, 1.0))
    op = trace.builder.add(cells.Fill, nothing, values=zeros)
    kept = trace.numbers(columns)
    return [
        Number(
            op if est.empty_[k] else kept, k, frozenset() if est.empty_[k] else trace.gaps_of([one])
        )
        for k, one in enumerate(columns)
    ]


def bins(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """One column a bin; a gap is in none."""
    op = trace.builder.add(cells.Bins, trace.numbers(columns), edges=trace.builder.array(est.edges))
    return _hot_bins(trace, op, len(est.edges) + 1)


def parts_of_dates(trace: Trace, est: Any, columns: list[Column]) -> list[Column]:
    """Days since 1970, month, weekday and hour."""
    made: list[Column] = []
    for one in columns:
        trace.require(isinstance(one, Raw), "dates that come from another step")
        trace.use(one.source, "date")  # type: ignore[union-attr]  # checked a line above
        op = trace.builder.add(cells.Date, column=one.source)  # type: ignore[union-attr]
        made += trace.columns_of(op, frozenset({one.source}))  # type: ignore[union-attr]
    return made


TRANSFORMERS = {
    "lockgate.Bins": bins,
    "lockgate.Clip": clip,
    "lockgate.DateParts": parts_of_dates,
    "lockgate.EmptyToZero": empty_to_zero,
    "sklearn.Binarizer": binarizer,
    "sklearn.ColumnTransformer": column_transformer,
    "sklearn.FeatureUnion": feature_union,
    "sklearn.FunctionTransformer": function_transformer,
    "sklearn.GenericUnivariateSelect": selector,
    "sklearn.KBinsDiscretizer": kbins_discretizer,
    "sklearn.MaxAbsScaler": max_abs_scaler,
    "sklearn.MinMaxScaler": min_max_scaler,
    "sklearn.MissingIndicator": missing_indicator,
    "sklearn.Normalizer": normalizer,
    "sklearn.OneHotEncoder": one_hot_encoder,
    "sklearn.OrdinalEncoder": ordinal_encoder,
    "sklearn.PCA": projection,
    "sklearn.PolynomialFeatures": polynomial_features,
    "sklearn.RFE": selector,
    "sklearn.RFECV": selector,
    "sklearn.RobustScaler": robust_scaler,
    "sklearn.SelectFdr": selector,
    "sklearn.SelectFpr": selector,
    "sklearn.SelectFromModel": selector,
    "sklearn.SelectFwe": selector,
    "sklearn.SelectKBest": selector,
    "sklearn.SelectPercentile": selector,
    "sklearn.SequentialFeatureSelector": selector,
    "sklearn.SimpleImputer": simple_imputer,
    "sklearn.StandardScaler": standard_scaler,
    "sklearn.TargetEncoder": target_encoder,
    "sklearn.TruncatedSVD": projection,
    "sklearn.VarianceThreshold": selector,
}
"""Converters of transformers by library and class."""
