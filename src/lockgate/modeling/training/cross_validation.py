"""The cross-validated loss of a recipe: of parameters, of a continued fit, along a path."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from lockgate.contract.recipes import NUMERIC, UNSUPERVISED, Recipe
from lockgate.contract.search import PartialFit, Trial
from lockgate.contract.tables import Fold, Table
from lockgate.errors import DataError
from lockgate.modeling.training.anomaly_detector import ANOMALY_CLASSES
from lockgate.modeling.training.estimators import order_classes
from lockgate.modeling.training.fitting import check_params, split_params
from lockgate.modeling.training.folds import FoldLoss, PreparedFold, prepare_fold
from lockgate.modeling.training.partial_fits import ContinuedFit
from lockgate.modeling.training.quantiles import quantile_of

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["CrossValidation"]

REGULARIZATION = ("C", "alpha", "l1_ratio")
"""Parameters along which linear models are fitted from one value to the next."""

MAX_PREPARED = 4
"""Sets of step parameters for which the prepared folds are kept in memory."""


class CrossValidation:
    """Measures parameters of a recipe on the folds of the training rows.

    The steps before the estimator do not depend on its parameters, so they are fitted once per
    fold for each set of their own parameters, not once per trial.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: Table,
        folds: tuple[Fold, ...],
        metric: str,
        positive: str = "",
    ) -> None:
        if not recipe.steps:
            raise ValueError("the recipe has no steps; expected the cell rules of the host")
        self._recipe, self._train, self._folds, self._metric = recipe, train, folds, metric
        has_classes = recipe.task not in (*UNSUPERVISED, *NUMERIC)
        labels = np.unique(train.target).tolist() if has_classes else []
        classes = order_classes(labels, positive)
        if recipe.task == "anomaly":
            classes = ANOMALY_CLASSES
        self._loss = FoldLoss(metric, recipe.task, classes, quantile_of(recipe.estimator))
        self._prepared: dict[str, dict[int, PreparedFold]] = {}

    def measure(self, params: Mapping[str, Any], share: float = 1.0) -> Trial:
        """Fit on that share of each fold's training rows and measure the loss on its other rows."""
        _check_share(share)
        check_params(self._recipe, params, "the optimizer")
        started, started_cpu = time.perf_counter(), time.process_time()
        losses = []
        for index in range(len(self._folds)):
            estimator, fold = self._prepare(params, index)
            fold.fit(estimator, share)
            losses.append(self._loss(estimator, fold))
        return self._trial(
            params, losses, time.perf_counter() - started, time.process_time() - started_cpu, share
        )

    def start(
        self,
        params: Mapping[str, Any],
        fold: int,
        *,
        share: float = 1.0,
        patience: int | None = None,
    ) -> PartialFit:
        """Return a fit of 0 rounds on a share of a fold's training rows; see `PartialFit`."""
        _check_share(share)
        if not 0 <= fold < len(self._folds):
            raise ValueError(f"fold is {fold!r}, expected 0 to {len(self._folds) - 1}")
        if patience is not None and patience < 1:
            raise ValueError(f"patience is {patience!r}, expected at least 1 round")
        check_params(self._recipe, params, "the optimizer")
        fidelity = self._recipe.fidelity
        limit = None if fidelity is None else params.get(fidelity.rounds)
        if fidelity is not None and limit is not None and limit < 1:
            raise ValueError(f"{fidelity.rounds} is {limit!r}, expected at least 1 round")
        estimator, prepared = self._prepare(params, fold)
        return ContinuedFit(estimator, fidelity, prepared, self._loss, share, patience, limit)

    def path(
        self, params: Mapping[str, Any], name: str, values: Sequence[float]
    ) -> tuple[Trial, ...]:
        """Measure several values of a parameter, in their order; see `OptimizeRequest.path`."""
        check_params(self._recipe, {**params, name: None}, "the optimizer")
        losses = np.empty((len(values), len(self._folds)))
        seconds, cpu = np.zeros(len(values)), np.zeros(len(values))
        for index in range(len(self._folds)):
            estimator: BaseEstimator | None = None
            for position, value in enumerate(values):
                started, started_cpu = time.perf_counter(), time.process_time()
                of_estimator, of_steps = split_params(self._recipe, {**params, name: value})
                fold = self._fold(index, of_steps)
                if estimator is None or not _starts_warm(estimator, name):
                    estimator = clone(self._recipe.estimator)
                    if "warm_start" in estimator.get_params():
                        estimator.set_params(warm_start=True)
                estimator.set_params(**of_estimator)
                fold.fit(estimator)
                losses[position, index] = self._loss(estimator, fold)
                seconds[position] += time.perf_counter() - started
                cpu[position] += time.process_time() - started_cpu
        return tuple(
            self._trial({**params, name: value}, row.tolist(), float(s), float(c))
            for value, row, s, c in zip(values, losses, seconds, cpu, strict=True)
        )

    def _prepare(self, params: Mapping[str, Any], index: int) -> tuple[BaseEstimator, PreparedFold]:
        """Return an unfitted estimator with its parameters, and a fold prepared for it."""
        of_estimator, of_steps = split_params(self._recipe, params)
        estimator = clone(self._recipe.estimator).set_params(**of_estimator)
        return estimator, self._fold(index, of_steps)

    def _fold(self, index: int, of_steps: Mapping[str, dict[str, Any]]) -> PreparedFold:
        key = repr(sorted(of_steps.items()))
        if key not in self._prepared:
            while len(self._prepared) >= MAX_PREPARED:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[key] = {}
        folds = self._prepared[key]
        if index not in folds:
            folds[index] = prepare_fold(self._recipe, self._train, self._folds[index], of_steps)
        return folds[index]

    def _trial(
        self,
        params: Mapping[str, Any],
        losses: list[float],
        seconds: float,
        cpu_seconds: float,
        share: float = 1.0,
    ) -> Trial:
        known = [loss for loss in losses if not np.isnan(loss)]
        if not known:
            raise DataError(
                f"{self._metric} is undefined on every fold of the training rows: they are too few "
                "or too much alike for it; choose another search.metric"
            )
        mean = float(np.mean(known))
        spread = float(np.std(known)) if math.isfinite(mean) else math.nan
        return Trial(
            dict(params), mean, spread, seconds, tuple(losses), share, cpu_seconds=cpu_seconds
        )


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"share is {share!r}, expected a number in (0, 1]")


def _starts_warm(estimator: BaseEstimator, name: str) -> bool:
    """Whether a fit that starts from the coefficients before ends at the same optimum.

    That holds for the strength of a regularization. Ensembles would keep their trees, and models
    that are fitted by passes over the rows (``partial_fit``) end where the passes end.
    """
    return (
        name in REGULARIZATION
        and "warm_start" in estimator.get_params()
        and hasattr(estimator, "coef_")
        and not hasattr(estimator, "partial_fit")
    )
