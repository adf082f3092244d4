"""Fits on one fold that are continued, with a loss after each round."""

from __future__ import annotations

import itertools
import math
import operator
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone

from lockgate.contract.recipes import NUMERIC, Fidelity
from lockgate.errors import PluginFailed
from lockgate.modeling.training.folds import FoldLoss, PreparedFold

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["ContinuedFit"]


class ContinuedFit:
    """A fit on one fold; `lockgate.contract.search.PartialFit` says what its members mean.

    An estimator goes on where it stopped if its `Fidelity` says that it can, and it does not stop
    early by its own rule; others are fitted again from the first round.

    Parameters
    ----------
    estimator : estimator
        Unfitted, with its parameters.
    fidelity : Fidelity or None
        Parameter that counts the rounds; if it is None, the first `advance` fits everything.
    fold : PreparedFold
        Rows to fit on and to measure on.
    loss : FoldLoss
        Loss on the rows to measure on.
    share : float
        Share of the rows to fit on, in (0, 1].
    patience : int, optional
        Rounds without a smaller loss after which the fit stops.
    limit : int, optional
        Largest number of rounds, at least 1.

    """

    def __init__(
        self,
        estimator: BaseEstimator,
        fidelity: Fidelity | None,
        fold: PreparedFold,
        loss: FoldLoss,
        share: float = 1.0,
        patience: int | None = None,
        limit: int | None = None,
    ) -> None:
        self._work: tuple[BaseEstimator, PreparedFold] | None = (estimator, fold)
        self._fidelity, self._loss, self._share = fidelity, loss, share
        self._continues = (
            fidelity is not None
            and fidelity.continues
            and "warm_start" in estimator.get_params()
            and not _stops_early(estimator)
        )
        self._predict = "predict" if loss.task in NUMERIC else "predict_proba"
        self._staged = hasattr(estimator, f"staged_{self._predict}")
        self._patience = patience if self._staged else None
        self._limit = None if limit is None else operator.index(limit)
        self._losses: dict[int, float] = {}
        self.losses: Mapping[int, float] = MappingProxyType(self._losses)
        self._best = 0  # the number of rounds of the smallest loss
        self.rounds = 0
        self.stopped = False
        self.cpu_seconds = 0.0

    def __enter__(self) -> ContinuedFit:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the memory of model and rows."""
        self.close()

    def close(self) -> None:
        """Release the memory of model and rows; the losses stay, and `advance` raises."""
        self._work = None

    def advance(self, to: int) -> None:
        """Fit up to this number of rounds; fewer than there are change nothing."""
        if operator.index(to) < 1:
            raise ValueError(f"to is {to!r}, expected at least 1 round")
        if self._work is None:
            raise ValueError("this fit is closed")
        started = time.process_time()
        target = operator.index(to) if self._limit is None else min(to, self._limit)
        while self.rounds < target and not self.stopped:
            self._fit(min(target, self._next_step(target)))
        self.stopped = self.stopped or self.rounds == self._limit
        self.cpu_seconds += time.process_time() - started

    def _next_step(self, target: int) -> int:
        """Return the number of rounds up to which to fit before the patience is checked.

        Staged predictions start again from the first round in every step, so that steps of equal
        size would take time that grows with the square of the rounds.
        """
        if self._patience is None:
            return target
        return self.rounds + max(self._patience, self.rounds // 4)

    def _fit(self, rounds: int) -> None:
        """Fit up to this number of rounds, and append the losses of the new ones."""
        assert self._work is not None, "advance checks it"
        estimator, fold = self._work
        before = self.rounds
        if self._fidelity is None:
            fold.fit(estimator, self._share)
            self.rounds, self.stopped = 1, True
            self._losses[1] = self._loss(estimator, fold)
            return
        if self._continues:
            estimator.set_params(warm_start=True)
        else:
            estimator = clone(estimator)
        estimator.set_params(**{self._fidelity.rounds: rounds})
        fold.fit(estimator, self._share)
        self._work = estimator, fold
        for count, loss in self._new_losses(estimator, fold, before, rounds):
            self.rounds = count
            self._losses[count] = loss
            if loss < self._losses.get(self._best, math.inf):  # never so for NaN
                self._best = count
            if self._patience is not None and count - self._best >= self._patience:
                self.stopped = True
                return
        self.stopped = self.rounds < rounds  # the estimator ended by its own rule

    def _new_losses(
        self, estimator: BaseEstimator, fold: PreparedFold, before: int, rounds: int
    ) -> Iterator[tuple[int, float]]:
        """Return the number of rounds and the loss after each new one, or after the last."""
        if not self._staged:
            yield _fitted_rounds(estimator, rounds), self._loss(estimator, fold)
            return
        staged = getattr(estimator, f"staged_{self._predict}")(fold.held_inputs)
        for count, predictions in itertools.islice(enumerate(staged, start=1), before, None):
            if count > rounds:
                assert self._fidelity is not None
                raise PluginFailed(
                    f"{type(estimator).__name__} has more rounds than its {self._fidelity.rounds}; "
                    "name the parameter that counts them as the rounds of the model's fidelity"
                )
            yield count, self._loss.of_predictions(predictions, estimator, fold)


def _stops_early(estimator: BaseEstimator) -> bool:
    """Whether an estimator may end before its number of rounds, by a rule of its own."""
    params = estimator.get_params()
    if "early_stopping" in params:
        return params["early_stopping"] is not False
    return params.get("n_iter_no_change") is not None


def _fitted_rounds(estimator: BaseEstimator, requested: int) -> int:
    """Return the rounds of an estimator, fewer than requested if it ended by its own rule."""
    counts = (getattr(estimator, name, None) for name in ("n_iter_", "n_estimators_"))
    fitted = next((int(count) for count in counts if isinstance(count, (int, np.integer))), None)
    return requested if fitted is None else min(fitted, requested)
