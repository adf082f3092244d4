"""Fits on one fold that are continued, with a loss after each round."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone

from lockgate.contract.recipes import Fidelity
from lockgate.modeling.training.folds import FoldLoss, PreparedFold

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["ContinuedFit"]


class ContinuedFit:
    """A fit on one fold; `lockgate.contract.search.PartialFit` says what its members mean.

    Estimators with ``warm_start`` go on where they stopped; others are fitted again from the
    beginning, which gives the same model at a higher cost.

    Parameters
    ----------
    estimator : estimator
        Unfitted, with its parameters.
    fidelity : Fidelity or None
        Parameter that counts the rounds; without one, the first `advance` fits everything.
    fold : PreparedFold
        Rows to fit on and to measure on.
    loss : FoldLoss
        Loss on the rows to measure on.
    share : float
        Share of the rows to fit on, in (0, 1].
    patience : int, optional
        Rounds without a smaller loss after which the fit stops.
    limit : int, optional
        Largest number of rounds.

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
        self._estimator: BaseEstimator | None = estimator
        self._fidelity, self._fold, self._loss, self._share = fidelity, fold, loss, share
        self._patience, self._limit = patience, limit
        self._losses: dict[int, float] = {}
        self._best = 0  # the number of rounds of the smallest loss
        self.rounds = 0
        self.stopped = False
        self.cpu = 0.0

    @property
    def losses(self) -> Mapping[int, float]:
        """Loss on the fold's other rows by number of rounds."""
        return dict(self._losses)

    def __enter__(self) -> ContinuedFit:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the memory of the model."""
        self.close()

    def close(self) -> None:
        """Release the memory of the model; the losses stay, and no round is added."""
        self._estimator, self.stopped = None, True

    def advance(self, to: int) -> None:
        """Fit up to this number of rounds; fewer than there are change nothing."""
        if to < 1:
            raise ValueError(f"to is {to!r}, expected at least 1 round")
        started = time.process_time()
        target = to if self._limit is None else min(to, self._limit)
        while self.rounds < target and not self.stopped:
            step = target if self._patience is None else self.rounds + self._patience
            self._fit(min(step, target))
        self.stopped = self.stopped or self.rounds == self._limit
        self.cpu += time.process_time() - started

    def _fit(self, rounds: int) -> None:
        """Fit up to this number of rounds, and append the losses of the new ones."""
        estimator, before = self._estimator, self.rounds
        assert estimator is not None, "a closed fit is stopped"
        if self._fidelity is None:
            self._fold.fit(estimator, self._share)
            self.rounds, self.stopped = 1, True
            self._losses[1] = self._loss(estimator, self._fold)
            return
        if "warm_start" not in estimator.get_params():
            estimator = self._estimator = clone(estimator)
        else:
            estimator.set_params(warm_start=True)
        estimator.set_params(**{self._fidelity.rounds: rounds})
        self._fold.fit(estimator, self._share)
        self.rounds = _fitted_rounds(estimator, rounds)
        self.stopped = self.rounds < rounds  # the estimator ended by itself
        for count, loss in self._new_losses(estimator, before):
            self._losses[count] = loss
            if loss < self._losses.get(self._best, math.inf):  # never so for NaN
                self._best = count
            if self._patience is not None and count - self._best >= self._patience:
                self.rounds, self.stopped = count, True
                break

    def _new_losses(self, estimator: BaseEstimator, before: int) -> Iterator[tuple[int, float]]:
        """Return the number of rounds and the loss after each new one, or after the last."""
        kind = "predict" if self._loss.task == "regression" else "predict_proba"
        staged = getattr(estimator, f"staged_{kind}", None)
        if staged is None:
            yield self.rounds, self._loss(estimator, self._fold)
            return
        after = enumerate(staged(self._fold.held_inputs), start=1)
        for count, predictions in itertools.islice(after, before, None):
            yield count, self._loss.of_predictions(predictions, estimator, self._fold)


def _fitted_rounds(estimator: BaseEstimator, asked: int) -> int:
    """Return the rounds that an estimator has fitted, fewer than asked if it ended by itself."""
    counts = (getattr(estimator, name, None) for name in ("n_iter_", "n_estimators_"))
    return next((int(count) for count in counts if isinstance(count, (int, np.integer))), asked)
