"""How often prediction intervals and sets hold the truth, over random splits of real rows.

Each split draws training, tune and test rows anew; the region is measured on the tune rows, as
the pipeline does, and its coverage on the test rows. Beside the mean over the splits stands the
coverage on later rows: those of a shop's second cut date, for models and regions of the first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lockgate
from lockgate.contract.regions import PredictionRegion
from lockgate.modeling.metrics.conformal import measure_region
from lockgate.modeling.training.estimators import get_classes, predict_output
from lockgate.plugins.host.catalogue import Catalogue

COVERAGES = (0.8, 0.9, 0.95)
MOST_ROWS = 3000
SHARES = (0.6, 0.2)
"""Share of the rows to fit on, and to measure the region on."""

Array = np.ndarray[Any, np.dtype[Any]]


class Rows(NamedTuple):
    """Rows with a target, and later rows where there are some."""

    X: Array
    y: Array
    later: tuple[Array, Array] | None = None


def _shop() -> Rows:
    """Spend in the next 180 days of a shop's customers, at two cut dates."""
    plugin = Catalogue.installed().find("loader", "spend").load()()
    frame = plugin.load(lockgate.LoadRequest()).frame
    numbers = frame.drop(columns=["customer", "cut", "spend"]).to_numpy(float)
    target, first = np.log1p(frame["spend"].to_numpy(float)), frame["cut"] == frame["cut"].min()
    chosen = first.to_numpy()
    later = np.flatnonzero(~chosen)[:: -(-int((~chosen).sum()) // MOST_ROWS)]
    return Rows(numbers[chosen], target[chosen], (numbers[later], target[later]))


CASES: dict[str, tuple[Callable[[], Rows], Any]] = {
    "diabetes, ridge": (
        lambda: Rows(*load_diabetes(return_X_y=True)),
        make_pipeline(StandardScaler(), Ridge()),
    ),
    "shop's spend, boosting": (_shop, HistGradientBoostingRegressor(max_iter=30)),
    "digits, logistic": (
        lambda: Rows(*load_digits(return_X_y=True)),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=200, C=0.01)),
    ),
    "tumours, logistic": (
        lambda: Rows(*load_breast_cancer(return_X_y=True)),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
    ),
}
"""Rows and a model for them; the intervals of regressions, the sets of classifiers."""


def _hits(
    model: Any, region: PredictionRegion, X: Array, y: Array, classes: tuple[Any, ...]
) -> Array:
    output = region.attach(predict_output(model, X, _task(classes), classes))
    if output.low is not None and output.high is not None:
        return np.asarray((y >= output.low) & (y <= output.high))
    assert output.sets is not None
    return np.asarray(output.sets[np.arange(len(y)), np.searchsorted(classes, y)])


def _task(classes: tuple[Any, ...]) -> str:
    return {0: "regression", 2: "binary"}.get(len(classes), "multiclass")


def coverage(name: str, share: float, splits: int, seed: int = 0) -> tuple[float, float | None]:
    """Return the mean coverage of the test rows over random splits, and that of later rows."""
    make_rows, estimator = CASES[name]
    rows = make_rows()
    rng = np.random.default_rng([seed, *map(ord, name)])
    measured, later = [], []
    for _ in range(splits):
        order = rng.permutation(len(rows.y))[:MOST_ROWS]
        fitted, tuned = (np.cumsum(SHARES) * len(order)).astype(int)
        fit, tune, test = order[:fitted], order[fitted:tuned], order[tuned:]
        model = clone(estimator).fit(rows.X[fit], rows.y[fit])
        classes = get_classes(model)
        output = predict_output(model, rows.X[tune], _task(classes), classes)
        truth = np.searchsorted(classes, rows.y[tune]) if classes else rows.y[tune]
        region = measure_region(truth, output, share)
        measured.append(_hits(model, region, rows.X[test], rows.y[test], classes).mean())
        if rows.later is not None:
            later.append(_hits(model, region, *rows.later, classes).mean())
    return float(np.mean(measured)), float(np.mean(later)) if later else None


def report(splits: int = 200) -> str:
    """Measure, and write a page's section."""
    lines = [
        "## Coverage of prediction intervals and sets\n",
        f"Mean over {splits} random splits; split conformal prediction on a fifth of the rows.\n",
        "| rows and model | stated | test rows | later rows |",
        "|---|---|---|---|",
    ]
    for name in CASES:
        for share in COVERAGES:
            mean, later = coverage(name, share, splits)
            cell = "" if later is None else f"{later:.3f}"
            lines.append(f"| {name} | {share} | {mean:.3f} | {cell} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=200)
    print(report(parser.parse_args().splits))
