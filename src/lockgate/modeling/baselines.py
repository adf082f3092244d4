"""Baselines that a model must beat: a constant, and the best single column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from lockgate.contract.prediction import Output
from lockgate.contract.tables import Column, Table
from lockgate.data.columns.categories import category_text
from lockgate.modeling.metrics.losses import metrics_for_task

__all__ = ["Baseline", "fit_baselines", "measure_baseline"]

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 50
"""Intervals of a column of numbers, with about as many rows each."""

MOST_VALUES = 200
"""Categories of a column that get a prediction of their own; the most frequent ones."""

SMOOTH = 5.0
"""Rows with the constant's prediction that count beside those of each interval."""


class Baseline(msgspec.Struct, frozen=True):
    """A prediction that needs no model.

    Attributes
    ----------
    label : str
        What it is, for tables.
    classes : tuple of str
        Texts of the classes; empty for a regression.
    predictions : tuple of tuple of float
        Probability of each class, or the value, by code; the last code is for missing and
        unknown cells.
    column : str or None
        The column that gives the codes; None for a constant.
    edges : tuple of float
        Of a column of numbers or dates, where intervals begin.
    values : tuple of str
        Of a column of categories, their texts.

    """

    label: str
    classes: tuple[str, ...]
    predictions: tuple[tuple[float, ...], ...]
    column: str | None = None
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()


def fit_baselines(train: Table, tune: Table, task: str) -> list[Baseline]:
    """Return the constant, and the single column that predicts best on the tune rows.

    Parameters
    ----------
    train, tune : Table
        Rows to fit on, and to choose the column on.
    task : {"binary", "multiclass", "regression"}
        The task.

    """
    classes: tuple[str, ...] = ()
    if task == "regression":
        targets = train.target.astype(float)[:, None]
        label = "mean of the training rows"
    else:
        texts = np.array([category_text(value) for value in train.target.tolist()])
        labels = sorted(set(train.target.tolist()))
        classes = tuple(category_text(value) for value in labels)
        targets = (texts[:, None] == np.array(classes)[None, :]).astype(float)
        label = "rates of the training rows"
    means = np.average(targets, axis=0, weights=train.weight)
    constant = Baseline(label, classes, (tuple(means.tolist()),))
    metric = "rmse" if task == "regression" else "log_loss"
    best, least = None, np.inf
    for column in train.schema.features:
        candidate = _fit_column(train, column, targets, constant)
        loss = np.inf if candidate is None else measure_baseline(candidate, tune, task)[metric]
        if loss < least:
            best, least = candidate, loss
    return [constant] if best is None else [constant, best]


def measure_baseline(
    baseline: Baseline, table: Table, task: str, classes: Sequence[object] | None = None
) -> dict[str, float]:
    """Return a baseline's metrics on some rows.

    Parameters
    ----------
    baseline : Baseline
        The baseline.
    table : Table
        The rows.
    task : {"binary", "multiclass", "regression"}
        The task.
    classes : sequence, optional
        The model's classes, in the order of its scores.

    """
    predictions = np.array(baseline.predictions)[_codes(baseline, table.frame)]
    if task == "regression":
        output, names = Output(predictions[:, 0]), list[object]()
    else:
        names = list(baseline.classes if classes is None else classes)
        order = [baseline.classes.index(category_text(name)) for name in names]
        shares = predictions[:, order]
        label = np.array(names, dtype=object)[shares.argmax(axis=1)]
        output = Output(label, shares[:, 1] if task == "binary" else shares)
    metrics = metrics_for_task(task, table.target, output, names, None)(table.weight)
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _fit_column(
    train: Table, column: Column, targets: Array, constant: Baseline
) -> Baseline | None:
    cells = train.frame[column.name]
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    if column.kind in ("category", "boolean"):
        counts = cells.dropna().map(category_text).value_counts()
        values = tuple(sorted(counts.index[:MOST_VALUES]))
    elif column.kind in ("number", "integer", "date"):
        numbers = _numbers(cells)
        known = numbers[np.isfinite(numbers)]
        if not len(known):
            return None
        edges = tuple(np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])).tolist())
    else:
        return None
    label = f"column {column.name} alone"
    codes = _codes(Baseline(label, constant.classes, (), column.name, edges, values), train.frame)
    size = (len(values) if values else len(edges) + 1) + 1
    weight = np.ones(len(codes)) if train.weight is None else train.weight.astype(float)
    sums = np.stack(
        [np.bincount(codes, weight * part, minlength=size) for part in targets.T], axis=1
    )
    rows = np.bincount(codes, weight, minlength=size)[:, None]
    means = (sums + SMOOTH * np.array(constant.predictions)) / (rows + SMOOTH)
    predictions = tuple(map(tuple, means.tolist()))
    return Baseline(label, constant.classes, predictions, column.name, edges, values)


def _codes(baseline: Baseline, frame: pd.DataFrame) -> Array:
    """Return the code of each row."""
    if baseline.column is None:
        return np.zeros(len(frame), int)
    cells = frame[baseline.column]
    if baseline.values:
        index = {value: code for code, value in enumerate(baseline.values)}
        known = cells.notna().to_numpy()
        return np.array(
            [
                index.get(category_text(cell), len(index)) if present else len(index)
                for cell, present in zip(cells.tolist(), known, strict=True)
            ],
            dtype=int,
        )
    numbers = _numbers(cells)
    codes = np.searchsorted(np.array(baseline.edges), numbers, side="right")
    return np.where(np.isfinite(numbers), codes, len(baseline.edges) + 1)


def _numbers(cells: Any) -> Array:
    if pd.api.types.is_datetime64_any_dtype(cells):
        micros = cells.to_numpy(dtype="datetime64[us]")
        return np.where(np.isnat(micros), np.nan, micros.astype(np.int64).astype(float))
    return np.asarray(cells.to_numpy(dtype=float, na_value=np.nan))
