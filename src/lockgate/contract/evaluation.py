"""Requests to evaluators, and their reports."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Number
from typing import TYPE_CHECKING, Any, Literal

from lockgate.contract.prediction import Output, Predictor
from lockgate.contract.recipes import Task
from lockgate.contract.requests import Request
from lockgate.contract.tables import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EvaluateRequest", "Metric", "Plot", "Report", "Series", "ValueMatrix"]

PLOT_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class ValueMatrix:
    """Value of each outcome of a binary decision, in money per row."""

    true_positive: float = 0.0
    false_positive: float = 0.0
    false_negative: float = 0.0
    true_negative: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest(Request):
    """A model to evaluate on held-out rows.

    Attributes
    ----------
    predictor : Predictor
        The model, threshold included.
    table : Table
        Held-out rows: neither the fit nor any decision has used them.
    output : Output
        The model's predictions for these rows, in their order.
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        Task of the model.
    classes : tuple
        Labels in the order of the scores; the second of two is the positive class.
    threshold : float or None
        Score from which the positive class is predicted.
    value_matrix : ValueMatrix or None
        Value of each outcome; None where it is not configured.
    model_bytes : int
        Size of the model's files.
    rows : DataFrame or None
        The rows of `table` with all columns of the loader's table, those that the model leaves out
        included (``data.leave_out``, constant columns): to compare groups of rows, for example.

    """

    predictor: Predictor
    table: Table
    output: Output
    task: Task
    classes: tuple[Any, ...] = ()
    threshold: float | None = None
    value_matrix: ValueMatrix | None = None
    model_bytes: int = 0
    rows: pd.DataFrame | None = None


@dataclass(frozen=True)
class Metric:
    """A metric with its confidence interval, 95 % by default.

    Attributes
    ----------
    estimate : float
        Value of the metric.
    low, high : float or None
        Bounds of the interval; None without an interval.

    """

    estimate: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """Reject NaN and infinity, which no report can show."""
        for name in ("estimate", "low", "high"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(
                    f"{name} is {value!r}, expected a finite number; leave out undefined metrics"
                )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, which is {self.high}")


@dataclass(frozen=True)
class Series:
    """Points of a line or a group of bars; x may be numbers or names."""

    name: str
    x: tuple[Any, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        """Reject coordinates of different lengths."""
        if len(self.x) != len(self.y):
            raise ValueError(f"series {self.name!r} has {len(self.x)} x and {len(self.y)} y values")


@dataclass(frozen=True)
class Plot:
    """A plot as data; the host draws it.

    Attributes
    ----------
    name : str
        File name without suffix, in lower case with dashes.
    title, x_label, y_label : str
        Title and axis labels, units included.
    series : tuple of Series
        Data to draw.
    kind : {"line", "bar", "scatter"}
        Kind of plot.
    diagonal : bool
        Whether to draw the line y = x for comparison.
    marks : mapping of str to float
        Position on the x axis of each vertical line, by its name.

    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    kind: Literal["line", "bar", "scatter"] = "line"
    diagonal: bool = False
    marks: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reject a name that no file can have."""
        if not PLOT_NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is not the name of a plot: expected lower-case letters, digits and "
                "dashes, as it names a file"
            )


@dataclass(frozen=True)
class Report:
    """Results of an evaluator.

    Attributes
    ----------
    metrics : mapping of str to Metric
        Metrics by name.
    tables : mapping of str to tuple of dict
        Rows of small tables, by the table's name.
    plots : tuple of Plot
        Plots.
    messages : tuple of str
        The results as sentences, for readers who want no numbers.
    nondeterministic : bool
        Whether the metrics depend on the machine and the time of measuring, as
        latency does: they are then reported separately and never put into a bundle.

    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    tables: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()
    messages: tuple[str, ...] = ()
    nondeterministic: bool = False

    def __post_init__(self) -> None:
        """Reject values that cannot be written to a report."""
        for name in (*self.metrics, *self.tables):
            if not isinstance(name, str) or not name.strip() or not name.isprintable():
                raise ValueError(f"{name!r} is not a name: expected a text of a line")
        for name, metric in self.metrics.items():
            if not isinstance(metric, Metric):
                raise TypeError(f"metric {name!r} is {metric!r}, expected lockgate.Metric")
        for name, rows in self.tables.items():
            _check_table(name, rows)
        for plot in self.plots:
            if not isinstance(plot, Plot):
                raise TypeError(f"{plot!r} is not a lockgate.Plot")


def _check_table(name: str, rows: object) -> None:
    """Raise a TypeError unless these are rows of texts and numbers."""
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError(f"table {name!r} is {type(rows).__name__}, expected a list of rows")
    for cell in (cell for row in rows for cell in row.values()):
        if cell is not None and not isinstance(cell, (str, Number)):
            raise TypeError(f"table {name!r} holds {cell!r}, expected text or a number")
