"""Metrics of a regression of several targets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.modeling.metrics.regression import RegressionMetrics

__all__ = ["OF_EACH_TARGET", "MultioutputMetrics", "metric_suffixes", "target_metrics"]

Array = np.ndarray[Any, np.dtype[Any]]

OF_EACH_TARGET = ("r2", "rmse", "mae", "bias")
"""Metrics that each of several targets has, its name behind them."""


def metric_suffixes(targets: Sequence[str]) -> tuple[str, ...]:
    """Return what the names of each target's metrics end in: its name, as far as keys can have it.

    Examples
    --------
    >>> metric_suffixes(["heating", "cooling (kWh)", "cooling [kWh]"])
    ('heating', 'cooling_kWh_1', 'cooling_kWh_2')

    """
    names = [re.sub(r"[^\w-]+", "_", target).strip("_") for target in targets]
    unique = {name for name in names if name and names.count(name) == 1}
    suffixes: list[str] = []
    for number, name in enumerate(names):
        suffix = name if name in unique else f"{name}_{number}".lstrip("_")
        # a number must not make the name of another target
        while name not in unique and (suffix in unique or suffix in suffixes):
            suffix = f"{suffix}_{number}"
        suffixes.append(suffix)
    return tuple(suffixes)


def target_metrics(metric: str, targets: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a metric of each target.

    Examples
    --------
    >>> target_metrics("r2", ["heating", "cooling"])
    ('r2_heating', 'r2_cooling')

    """
    return tuple(f"{metric}_{suffix}" for suffix in metric_suffixes(targets))


class MultioutputMetrics:
    """Metrics of a regression of several targets for any weights of the same rows.

    ``mean_r2`` is the mean of the targets' R², as they may have different units (the uniform
    average of scikit-learn's ``r2_score``), without targets that are constant in these rows; each
    target has its own R² and errors, such as ``rmse_heating``.

    Parameters
    ----------
    truth, value : ndarray, shape (n, targets)
        Actual and predicted values.
    targets : sequence of str
        Names of the targets; by default their numbers.

    Examples
    --------
    >>> truth = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    >>> value = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 30.0]])
    >>> metrics = MultioutputMetrics(truth, value, ["heating", "cooling"])()
    >>> metrics["mean_r2"], metrics["r2_heating"], metrics["r2_cooling"]
    (0.75, 0.5, 1.0)

    """

    def __init__(self, truth: Array, value: Array, targets: Sequence[str] = ()) -> None:
        if np.shape(truth) != np.shape(value):
            raise ValueError(f"values of shape {np.shape(value)}, expected {np.shape(truth)}")
        names = metric_suffixes(targets or [str(number) for number in range(truth.shape[1])])
        pairs = zip(truth.T, value.T, strict=True)
        each = [RegressionMetrics(*pair) for pair in pairs]
        self._each = dict(zip(names, each, strict=True))

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,)."""
        each = {name: metrics(weight) for name, metrics in self._each.items()}
        known = [values["r2"] for values in each.values() if not np.isnan(values["r2"])]
        metrics = {"mean_r2": float(np.mean(known)) if known else np.nan}
        for name, values in each.items():
            metrics |= {f"{metric}_{name}": value for metric, value in values.items()}
        return metrics
