"""Baselines that a model must beat: constants, what held last, and the best single column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import NUMERIC
from lockgate.contract.tables import Column, Table
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.frames import numbers_of
from lockgate.modeling.metrics.losses import (
    HIGHER_IS_BETTER,
    chosen_metric,
    metrics_for_task,
    truth_of,
)

__all__ = ["Baseline", "fit_baselines", "measure_baseline", "measure_output"]

Array = np.ndarray[Any, np.dtype[Any]]

BINS = (5, 15, 50)
"""Intervals of a column of numbers, with about as many rows each: what is best on the tune rows."""

MOST_VALUES = 200
"""Categories of a column that get a prediction of their own; the most frequent ones."""

SMOOTH = 5.0
"""Rows with the constant's prediction that count beside those of each interval."""

MOST_KEYS = 100_000
"""Ids or groups whose last targets are kept."""


class Baseline(msgspec.Struct, frozen=True):
    """A prediction that needs no model.

    Attributes
    ----------
    label : str
        What it is, for tables.
    classes : tuple of str
        Texts of the classes; empty where numbers are predicted.
    predictions : tuple of tuple of float
        Probability of each class, or the value of each target, by code; the last code is for
        missing and unknown cells.
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
    """Return the constant, the last period, and the single column that predicts best.

    The last period is that of the tune rows, where they are later than the training rows: its
    rates, or the last target of the same id or group where these come back.

    Parameters
    ----------
    train, tune : Table
        Rows to fit on, and to choose the column on.
    task : {"binary", "multiclass", "regression", "multioutput"}
        The task.

    """
    classes: tuple[str, ...] = ()
    label = "mean of the training rows"
    if task not in NUMERIC:
        classes = tuple(category_text(value) for value in sorted(set(train.target.tolist())))
        label = "rates of the training rows"
    targets = _targets(train, classes)
    constant = Baseline(label, classes, _averages(train, targets))
    metric = chosen_metric("auto", task)
    best, least = None, np.inf
    for column in train.schema.features:
        for candidate in _fit_column(train, column, targets, constant):
            value = measure_baseline(candidate, tune, task).get(metric)
            if value is None:
                continue  # undefined, as the target is constant in these rows
            loss = 1 - value if metric in HIGHER_IS_BETTER else value
            if loss < least:
                best, least = candidate, loss
    chosen = [constant, _fit_last_period(train, tune, classes), best]
    return [baseline for baseline in chosen if baseline is not None]


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
    task : {"binary", "multiclass", "regression", "multioutput"}
        The task.
    classes : sequence, optional
        The model's classes, in the order of its scores.

    """
    predictions = np.array(baseline.predictions)[_codes(baseline, table.frame)]
    if task in NUMERIC:
        values = predictions if task == "multioutput" else predictions[:, 0]
        output, names = Output(values), list[object]()
    else:
        names = list(baseline.classes if classes is None else classes)
        order = [baseline.classes.index(category_text(name)) for name in names]
        shares = predictions[:, order]
        label = np.array(names, dtype=object)[shares.argmax(axis=1)]
        output = Output(label, shares[:, 1] if task == "binary" else shares)
    measured = metrics_for_task(task, table.target, output, names, None, table.schema.targets)
    return _finite(measured(table.weight))


def measure_output(
    output: Output,
    table: Table,
    task: str,
    classes: Sequence[object],
    threshold: float | None = None,
) -> dict[str, float]:
    """Return the metrics of predictions for some rows, those that can be computed."""
    truth, targets = truth_of(table, task), table.schema.targets
    metrics = metrics_for_task(task, truth, output, classes, threshold, targets)
    return _finite(metrics(table.weight))


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _targets(table: Table, classes: tuple[str, ...]) -> Array:
    """Return the target as a column of numbers, or as a column of indicators for each class."""
    if not classes:
        return np.asarray(table.target, float).reshape(len(table), -1)
    texts = np.array([category_text(value) for value in table.target.tolist()])
    return np.asarray(texts[:, None] == np.array(classes)[None, :], float)


def _weights(*tables: Table) -> Array:
    """Return the weights of the rows, 1 on average, so that they count beside `SMOOTH` rows."""
    parts = [np.ones(len(t)) if t.weight is None else t.weight.astype(float) for t in tables]
    weight = np.concatenate(parts)
    return np.asarray(weight / (weight.mean() or 1.0))


def _averages(table: Table, targets: Array) -> tuple[tuple[float, ...], ...]:
    means = np.average(targets, axis=0, weights=table.weight)
    return (tuple(means.tolist()),)


def _fit_last_period(train: Table, tune: Table, classes: tuple[str, ...]) -> Baseline | None:
    """Return the baseline of what held last; None unless the tune rows are the later ones."""
    time = train.schema.time
    if time is None or not tune.frame[time].min() >= train.frame[time].max():
        return None
    first, last = (f"{edge:%Y-%m-%d}" for edge in (tune.frame[time].min(), tune.frame[time].max()))
    period = first if first == last else f"{first} to {last}"
    statistic = "rates" if classes else "mean"
    constant = Baseline(
        f"{statistic} of the last period, {period}",
        classes,
        _averages(tune, _targets(tune, classes)),
    )
    for name in (train.schema.group, train.schema.id):
        if name is not None and tune.frame[name].isin(train.frame[name]).mean() >= 0.5:
            return _fit_last_target(train, tune, name, constant) or constant
    return constant


def _fit_last_target(train: Table, tune: Table, name: str, constant: Baseline) -> Baseline | None:
    """Return the baseline of the last target of each group or id.

    Of classes it is the rates that followed such a class in the rows before.
    """
    rows = pd.concat([train.frame, tune.frame], ignore_index=True)
    targets = np.concatenate([_targets(table, constant.classes) for table in (train, tune)])
    order = np.argsort(rows[str(train.schema.time)].to_numpy(), kind="stable")
    keys, targets = rows[name].iloc[order].reset_index(drop=True), targets[order]
    weight = _weights(train, tune)[order]
    latest = keys.dropna().drop_duplicates(keep="last")
    if len(latest) > MOST_KEYS:
        return None
    predictions = targets
    if constant.classes:
        previous = pd.Series(np.arange(len(keys))).groupby(keys).shift().to_numpy()
        known = np.isfinite(previous)
        before = targets[previous[known].astype(int)]
        followed = before.T @ (targets * weight[:, None])[known]
        followed += SMOOTH * np.array(constant.predictions)
        predictions = targets @ (followed / followed.sum(axis=1, keepdims=True))
        predictions[targets.sum(axis=1) == 0] = constant.predictions[0]  # an unknown class
    by_key = dict(zip(latest.map(category_text), predictions[latest.index].tolist(), strict=True))
    values = tuple(sorted(by_key))
    rates = (*(tuple(by_key[value]) for value in values), *constant.predictions)
    label = f"last {', '.join(train.schema.targets)} of the same {name}"
    return Baseline(label, constant.classes, rates, column=name, values=values)


def _fit_column(
    train: Table, column: Column, targets: Array, constant: Baseline
) -> Iterator[Baseline]:
    cells = train.frame[column.name]
    if column.kind == "category":
        counts = cells.dropna().map(category_text).value_counts()
        values = tuple(sorted(counts.index[:MOST_VALUES]))
        yield _fit_codes(train, column, targets, constant, values=values)
    elif column.kind == "boolean":
        yield _fit_codes(train, column, targets, constant, edges=(0.5,))
    elif column.kind in ("number", "integer", "date"):
        numbers = numbers_of(cells)
        known = numbers[np.isfinite(numbers)]
        for bins in BINS if len(known) else ():
            edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
            yield _fit_codes(train, column, targets, constant, edges=tuple(edges.tolist()))


def _fit_codes(
    train: Table,
    column: Column,
    targets: Array,
    constant: Baseline,
    *,
    edges: tuple[float, ...] = (),
    values: tuple[str, ...] = (),
) -> Baseline:
    """Return the baseline of the mean target in each interval, or of each category."""
    label = f"column {column.name} alone"
    codes = _codes(Baseline(label, constant.classes, (), column.name, edges, values), train.frame)
    size = (len(values) if values else len(edges) + 1) + 1
    weight = _weights(train)
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
    numbers = numbers_of(cells)
    codes = np.searchsorted(np.array(baseline.edges), numbers, side="right")
    return np.where(np.isfinite(numbers), codes, len(baseline.edges) + 1)
