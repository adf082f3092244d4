"""Requests to optimizers: trials, fits that are continued, and the result of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lockgate.contract.recipes import Candidate, Recipe
from lockgate.contract.requests import Request
from lockgate.contract.tables import Fold, Table

__all__ = [
    "Budget",
    "Objective",
    "OptimizeRequest",
    "PartialFit",
    "PathObjective",
    "SearchResult",
    "StartFit",
    "Trial",
]


@dataclass(frozen=True)
class Trial:
    """A set of parameters and its measured loss.

    Attributes
    ----------
    params : mapping
        Parameters of the estimator.
    loss : float
        Mean over the folds of the metric as a loss: lower is better.
    spread : float
        Standard deviation over the folds.
    seconds : float
        Duration of the trial.
    losses : tuple of float
        Loss of each fold, in their order; NaN where the metric is undefined on the fold. Empty
        where it is not known.
    rounds : int or None
        Rounds that were fitted, of an estimator with a `Fidelity`; the mean over the folds.
    rung : int or None
        Step of a search that measures in steps of growing cost, from 0. Only trials of the last
        rung are compared with each other.
    cpu : float
        CPU seconds of the trial.

    """

    params: Mapping[str, Any]
    loss: float
    spread: float = 0.0
    seconds: float = 0.0
    losses: tuple[float, ...] = ()
    rounds: int | None = None
    rung: int | None = None
    cpu: float = 0.0


@dataclass(frozen=True)
class Budget:
    """Limits of a search.

    Attributes
    ----------
    seconds : float or None
        Wall time after which no further trial should start; None without a limit.

    """

    seconds: float | None = None


class Objective(Protocol):
    """The cross-validated loss as a function of the parameters."""

    def __call__(self, params: Mapping[str, Any], share: float = 1.0) -> Trial:
        """Fit on that share of each fold's training rows and measure the loss on its other rows."""


class PartialFit(Protocol):
    """A fit on one fold that can be continued; use it in a ``with`` block, or close it.

    Attributes
    ----------
    rounds : int
        Rounds that have been fitted, those after the last one of `losses` included.
    losses : mapping of int to float
        Loss on the fold's other rows by number of rounds. Models that predict after each round have
        one entry per round, others one per call of `advance`.
    stopped : bool
        Whether further rounds change nothing: the patience or the estimator's own rounds are used
        up, or the estimator has no rounds.
    cpu : float
        CPU seconds so far.

    """

    @property
    def rounds(self) -> int:
        """Rounds that have been fitted."""

    @property
    def losses(self) -> Mapping[int, float]:
        """Loss on the fold's other rows by number of rounds."""

    @property
    def stopped(self) -> bool:
        """Whether further rounds change nothing."""

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""

    def advance(self, to: int) -> None:
        """Fit up to this number of rounds; fewer than there are change nothing."""

    def close(self) -> None:
        """Release the memory of the model; the losses stay."""

    def __enter__(self) -> PartialFit:
        """Return itself."""

    def __exit__(self, *exception: object) -> None:
        """Close it."""


class StartFit(Protocol):
    """Starts a fit on one fold."""

    def __call__(
        self,
        params: Mapping[str, Any],
        fold: int,
        *,
        share: float = 1.0,
        patience: int | None = None,
    ) -> PartialFit:
        """Return a fit of 0 rounds on that share of the fold's training rows."""


class PathObjective(Protocol):
    """The cross-validated loss along one parameter."""

    def __call__(
        self, params: Mapping[str, Any], name: str, values: Sequence[float]
    ) -> tuple[Trial, ...]:
        """Return a trial for each value, in their order."""


@dataclass(frozen=True, kw_only=True)
class OptimizeRequest(Request):
    """A recipe to tune.

    Attributes
    ----------
    recipe : Recipe
        The model; its steps already contain the cell rules.
    train : Table
        Training rows.
    folds : tuple of Fold
        Indices of the rows of `train` to fit on and to measure on.
    metric : str
        Name of the metric to optimize.
    measure : callable
        ``measure(params, share=1.0) -> Trial``: cross-validated loss of these
        parameters. With a smaller share the fit uses only that part of each
        fold's rows, the same rows every time: cheaper, for racing.
    start : callable
        ``start(params, fold, share=1.0, patience=None) -> PartialFit``: a fit on one fold, given by
        its index, that is continued with ``advance(to)``. With `patience`, it stops once
        that many rounds brought no smaller loss. A number of rounds in `params` is
        an upper limit. Estimators without a `Fidelity` are fitted whole by the first `advance`.
    path : callable
        ``path(params, name, values) -> tuple of Trial``: the losses for several values of one
        parameter. Linear models are fitted from one value to the next, each from the
        coefficients before: order the values from strong to weak regularization.
    budget : Budget
        Limits of the search.

    """

    recipe: Recipe
    train: Table
    folds: tuple[Fold, ...]
    metric: str
    measure: Objective
    start: StartFit
    path: PathObjective
    budget: Budget = Budget()


@dataclass(frozen=True)
class SearchResult:
    """Result of a search.

    Attributes
    ----------
    candidate : Candidate
        The best candidate; the host fits it if its estimator is None.
    trials : tuple of Trial
        All trials, in order.

    """

    candidate: Candidate
    trials: tuple[Trial, ...]

    def __post_init__(self) -> None:
        """Reject a result without a trial, and a best one whose loss is not a number."""
        if not self.trials:
            raise ValueError("no trials; an optimizer must measure at least one set of parameters")
        if not math.isfinite(self.best.loss):
            raise ValueError(
                f"the loss of the chosen parameters is {self.best.loss}; choose a trial with a "
                "finite loss"
            )

    @property
    def best(self) -> Trial:
        """The best trial of the last rung with the candidate's parameters, or of all of it."""
        last = max(trial.rung or 0 for trial in self.trials)
        compared = [trial for trial in self.trials if (trial.rung or 0) == last]
        chosen = [trial for trial in compared if trial.params == self.candidate.params]
        ordered = [trial for trial in chosen or compared if math.isfinite(trial.loss)]
        return min(ordered or chosen or compared, key=lambda trial: trial.loss)
