"""What evaluators are asked and what they answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Number
from typing import Any, Literal

from lockgate.contract.modeling import Task
from lockgate.contract.prediction import Output, Predictor
from lockgate.contract.requests import Request
from lockgate.contract.tables import Table

__all__ = ["EvaluateRequest", "Metric", "Plot", "Report", "Series", "ValueMatrix"]


@dataclass(frozen=True)
class ValueMatrix:
    """What each outcome of a yes-or-no decision is worth, in the user's money per row."""

    true_positive: float = 0.0
    false_positive: float = 0.0
    false_negative: float = 0.0
    true_negative: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest(Request):
    """What an evaluator is asked to measure.

    Attributes
    ----------
    predictor : Predictor
        The model, threshold included.
    table : Table
        Rows that nothing was decided on.
    output : Output
        The model's answers to these rows, in their order.
    task : {"binary", "multiclass", "regression"}
        What it predicts.
    classes : tuple
        Labels in the order of the scores; the second of two is the positive one.
    threshold : float or None
        Score from which the second of two classes is answered.
    value_matrix : Worth or None
        What each outcome is worth, where it was declared.
    incumbent : Output or None
        Answers of the model that is in production now, if any.
    model_bytes : int
        Size of the model's files.

    """

    predictor: Predictor
    table: Table
    output: Output
    task: Task
    classes: tuple[Any, ...] = ()
    threshold: float | None = None
    value_matrix: ValueMatrix | None = None
    incumbent: Output | None = None
    model_bytes: int = 0


@dataclass(frozen=True)
class Metric:
    """A figure with its confidence interval (95 % unless said otherwise).

    Attributes
    ----------
    estimate : float
        The figure.
    low, high : float or None
        Ends of the interval; None where there is none.

    """

    estimate: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no report could show."""
        for name in ("estimate", "low", "high"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; leave out what the rows do not define")


@dataclass(frozen=True)
class Series:
    """Points of one line or bar group; x may be numbers or names."""

    name: str
    x: tuple[Any, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse points without a partner."""
        if len(self.x) != len(self.y):
            raise ValueError(f"series {self.name!r} has {len(self.x)} x and {len(self.y)} y")


@dataclass(frozen=True)
class Plot:
    """A picture as data; the host draws it.

    Attributes
    ----------
    name : str
        File name without ending, in lower case with dashes.
    title, x_label, y_label : str
        Words on it, units included.
    series : tuple of Series
        What is drawn.
    kind : {"line", "bar", "scatter"}
        How.
    diagonal : bool
        Whether to draw the line y = x for comparison.
    marks : mapping of str to float
        Vertical lines at these x, each with its name.

    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    kind: Literal["line", "bar", "scatter"] = "line"
    diagonal: bool = False
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What an evaluator found.

    Attributes
    ----------
    metrics : mapping of str to Metric
        Figures by name.
    tables : mapping of str to tuple of dict
        Rows of small tables by the table's name.
    plots : tuple of Plot
        Pictures.
    messages : tuple of str
        Findings in words, for people who do not read figures.
    nondeterministic : bool
        Whether the figures depend on the machine and the moment (latency):
        then they go into a side report and never into a bundle.

    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    tables: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()
    messages: tuple[str, ...] = ()
    nondeterministic: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not be written down."""
        for name, metric in self.metrics.items():
            if not isinstance(metric, Metric):
                raise TypeError(f"metric {name!r} is {metric!r}; expected lockgate.Metric")
        for name, rows in self.tables.items():
            for cell in (cell for row in rows for cell in row.values()):
                if cell is not None and not isinstance(cell, (str, Number)):
                    raise TypeError(f"table {name!r} holds {cell!r}; expected text or a number")
        for plot in self.plots:
            if not isinstance(plot, Plot):
                raise TypeError(f"{plot!r} is no lockgate.Plot")
