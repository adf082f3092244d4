"""Histograms of columns over the bins of a reference, on an array backend."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from lockgate.contract.monitoring import BinCounts, ReferenceCounts
from lockgate.contract.prediction import Output, values_by_name
from lockgate.contract.requests import Backend, numpy_backend
from lockgate.contract.tables import Schema
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.frames import cell_texts
from lockgate.data.columns.personal import is_personal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

    from lockgate.contract.prediction import Columns

__all__ = [
    "build_reference",
    "count_all_columns",
    "count_into_bins",
    "count_window",
    "select_monitored_output",
]

BINS = 64
"""Number of bins of an ordered column; edges are quantiles of the reference."""

MAX_CATEGORIES = 50
"""Different texts of a column that the model does not read, up to which it is counted."""

VALUES: dict[str, Literal["boolean", "date"]] = {"boolean": "boolean", "date": "date"}
"""What the edges of a column measure that are not of numbers, by its kind."""

MIN_ROWS = 5
"""Rows of such a text from which it is counted by itself, and written down."""

SCORES = "(score)"
"""Name of the model's predictions among the columns."""


def build_reference(
    columns: Columns,
    schema: Schema,
    backend: Backend,
    scores: Mapping[str, np.ndarray] | None = None,
) -> ReferenceCounts:
    """Choose bins for each feature and count the training rows into them.

    Parameters
    ----------
    columns : DataFrame, or mapping of str to array of shape (n,)
        Values by feature.
    schema : Schema
        Kinds of the columns.
    backend : Backend
        Backend to count on.
    scores : mapping of str to array of shape (n,), optional
        The model's predictions for rows that it was not fitted on, as `select_monitored_output`
        returns them; texts are categories.

    """
    counts = []
    for column in schema.features:
        if column.kind in ("category", "text"):
            empty = BinCounts(column.name, "nominal", categories=column.categories)
        else:
            edges = _choose_edges(_convert_to_floats(columns[column.name]))
            empty = BinCounts(
                column.name, "ordered", edges, values=VALUES.get(column.kind, "number")
            )
        counts.append(count_into_bins(empty, columns[column.name], backend))
    score_counts = [
        count_into_bins(_choose_score_bins(name, values), values, backend)
        for name, values in (scores or {}).items()
    ]
    n = counts[0].n if counts else 0
    return ReferenceCounts(tuple(counts), tuple(score_counts), n)


def _choose_score_bins(name: str, scores: np.ndarray) -> BinCounts:
    if scores.dtype == object:
        return BinCounts(name, "nominal", categories=tuple(sorted(set(scores.tolist()))))
    return BinCounts(name, "ordered", _choose_edges(_convert_to_floats(scores)))


def count_all_columns(frame: pd.DataFrame, leave_out: Collection[str]) -> tuple[BinCounts, ...]:
    """Choose bins for each column whose cells can be counted, and count the rows into them.

    Numbers, truth values and dates can be, and texts of at most `MAX_CATEGORIES` different values.
    Texts in fewer than `MIN_ROWS` rows are counted together, as they may be about a person; columns
    whose names indicate personal data are left out.

    Parameters
    ----------
    frame : DataFrame, shape (n, columns)
        The rows with all columns of the loader's table.
    leave_out : collection of str
        Columns that are not counted.

    """
    counts = []
    for name in frame:
        if name in leave_out or is_personal(str(name)):
            continue
        kind, values = _countable(frame[name])
        if kind != "text":
            edges = _choose_edges(_convert_to_floats(values))
            empty = BinCounts(str(name), "ordered", edges, values=kind)
        elif texts := _frequent_texts(values):
            empty = BinCounts(str(name), "nominal", categories=texts)
        else:
            continue
        counts.append(count_into_bins(empty, values, numpy_backend()))
    return tuple(counts)


def _frequent_texts(values: np.ndarray) -> tuple[str, ...]:
    """Return the texts that are counted one by one; none for a column of free texts."""
    rows_by_text = Counter(str(text) for text in values if text is not None)
    if len(rows_by_text) > MAX_CATEGORIES:
        return ()
    return tuple(sorted(text for text, rows in rows_by_text.items() if rows >= MIN_ROWS))


def _countable(
    values: pd.Series[Any],
) -> tuple[Literal["number", "boolean", "date", "text"], np.ndarray]:
    """Return what cells are, and the cells as doubles, dates, or texts, None where missing."""
    import pandas as pd

    types = pd.api.types
    if types.is_datetime64_any_dtype(values):
        utc = values if values.dt.tz is None else values.dt.tz_convert("UTC").dt.tz_localize(None)
        return "date", np.asarray(utc.to_numpy(dtype="datetime64[us]"))
    if types.is_bool_dtype(values) or types.is_numeric_dtype(values):
        numbers = np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
        return ("boolean" if types.is_bool_dtype(values) else "number"), numbers
    return "text", np.array(cell_texts(values), dtype=object)


def select_monitored_output(
    output: Output, task: str, targets: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Return the predictions to monitor: values, clusters, or scores of two classes, by name.

    Of several `targets` they are the values of each; of several classes there are none.
    """
    if task == "clustering":
        texts = [category_text(label) for label in output.label.tolist()]
        return {SCORES: np.array(texts, dtype=object)}
    if task == "multioutput":
        return values_by_name([f"{SCORES} {target}" for target in targets], output.label.T)
    values = output.label if task == "regression" else output.score
    return {} if values is None or np.ndim(values) > 1 else {SCORES: values}


def count_window(
    reference: ReferenceCounts,
    columns: Columns,
    backend: Backend,
    scores: Mapping[str, np.ndarray] | None = None,
    rows: pd.DataFrame | None = None,
) -> dict[str, BinCounts]:
    """Count a window's columns into the bins of the reference; `rows` have those not read, too."""
    counts = {
        bins.column: count_into_bins(bins, columns[bins.column], backend)
        for bins in reference.columns
    }
    if scores is not None:
        for bins in reference.scores:
            counts[bins.column] = count_into_bins(bins, scores[bins.column], backend)
    for bins in reference.unread:
        if rows is not None and bins.column in rows:
            kind, values = _countable(rows[bins.column])
            if (kind == "text") == (bins.kind == "nominal"):
                counts[bins.column] = count_into_bins(bins, values, backend)
    return counts


def count_into_bins(bins: BinCounts, values: ArrayLike, backend: Backend) -> BinCounts:
    """Count values into the bins of `bins`, whose counts are ignored.

    Notes
    -----
    Ordered values are sorted and the edges are looked up in them, since the array
    API standard has no ``bincount``. A bin includes its upper edge:
    ``(edge before, edge]``.

    Examples
    --------
    >>> from lockgate.contract.requests import numpy_backend
    >>> bins = BinCounts("x", "ordered", edges=(1.0, 2.0))
    >>> count_into_bins(bins, [0.5, 1.0, 1.5, 9.0, float("nan")], numpy_backend()).counts
    (1, 2, 1, 1)

    """
    if bins.kind == "nominal":
        counts = _count_nominal(bins.categories, values)
    else:
        counts = _count_ordered(bins.edges, _convert_to_floats(values), backend)
    return replace(bins, counts=counts)


def _count_ordered(
    edges: tuple[float, ...], values: np.ndarray, backend: Backend
) -> tuple[int, ...]:
    xp = backend.xp
    known = values[~np.isnan(values)]
    missing = len(values) - len(known)
    if not len(known):
        return (missing, *[0] * (len(edges) + 1))
    if not edges:
        return (missing, len(known))
    ordered = xp.sort(backend.asarray(known))
    below = xp.searchsorted(ordered, backend.asarray(np.asarray(edges, dtype=float)), side="right")
    steps = np.diff(np.r_[0, backend.to_numpy(below), len(known)])
    return (missing, *(int(step) for step in steps))


def _count_nominal(categories: tuple[str, ...], values: ArrayLike) -> tuple[int, ...]:
    import pandas as pd  # a plugin that only counts numbers must not load it

    column = pd.Series(np.asarray(values, dtype=object))
    missing = int(column.isna().sum())
    counts_by_category = column.dropna().map(str).value_counts()
    counts = [int(counts_by_category.get(name, 0)) for name in categories]
    return (missing, *counts, len(column) - missing - sum(counts))


def _choose_edges(values: np.ndarray) -> tuple[float, ...]:
    known = values[~np.isnan(values)]
    if not len(known):
        return ()
    distinct = np.unique(known)
    if len(distinct) <= BINS:
        inner = distinct
    else:
        quantiles = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1], method="lower")
        inner = np.append(np.unique(quantiles), distinct[-1])
    # values below or above all of the reference get separate bins
    below = np.nextafter(distinct[0], -np.inf)
    return tuple(np.unique(np.append(below, inner)).tolist())


def _convert_to_floats(values: ArrayLike) -> np.ndarray:
    """Convert numbers, booleans and dates to floats; dates become days since 1970."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        days = (array - np.datetime64(0, "s")) / np.timedelta64(1, "D")
        return np.where(np.isnat(array), np.nan, days)
    return array.astype(float)
