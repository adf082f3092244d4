"""Requests to optimizers: trials, fits that are continued, and the result of a search."""

from __future__ import annotations

import math
import operator
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
    share : float
        Share of the training rows that were fitted on, in (0, 1].
    rounds : int or None
        Rounds after which `loss` was measured; set by optimizers that continue fits.
    rung : int or None
        Step of a search that measures in steps of growing cost, from 0; all trials have it, or
        none. Only trials of the last rung are compared with each other.
    cpu_seconds : float
        CPU time of the trial.

    """

    params: Mapping[str, Any]
    loss: float
    spread: float = 0.0
    seconds: float = 0.0
    losses: tuple[float, ...] = ()
    share: float = 1.0
    rounds: int | None = None
    rung: int | None = None
    cpu_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Reject a loss that is not a number, and a rung below 0 or between whole numbers."""
        math.isnan(self.loss)  # raises for anything but a number
        if self.rung is not None and operator.index(self.rung) < 0:
            raise ValueError(f"rung is {self.rung!r}, expected a whole number from 0")


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
        Rounds after which the last loss was measured; 0 before the first `advance`.
    losses : mapping of int to float
        Loss on the fold's other rows by number of rounds, so far. Models with staged predictions
        have one entry per round, others one per call of `advance`.
    stopped : bool
        Whether further rounds change nothing: the patience is used up, the limit in the parameters
        is reached, the estimator stopped early, or it has no rounds.
    cpu_seconds : float
        CPU time so far.

    """

    rounds: int
    losses: Mapping[int, float]
    stopped: bool
    cpu_seconds: float

    def advance(self, to: int) -> None:
        """Fit up to this number of rounds; fewer than there are change nothing."""

    def close(self) -> None:
        """Release the memory of model and rows; the losses stay, and `advance` raises."""

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
        that many rounds brought no smaller loss; without staged predictions, as a forest, it is
        ignored. A number of rounds in `params` is an upper limit, that of the estimator itself is
        not. Estimators without a `Fidelity` are fitted whole by the first `advance`.
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
        with_rung = sum(trial.rung is not None for trial in self.trials)
        if with_rung not in (0, len(self.trials)):
            raise ValueError(
                f"{with_rung} of {len(self.trials)} trials have a rung; set it on all, or on none"
            )
        if not math.isfinite(self.best.loss):
            raise ValueError(
                f"the loss of the chosen parameters is {self.best.loss}; choose a trial with a "
                "finite loss"
            )

    @property
    def best(self) -> Trial:
        """The best trial with the candidate's parameters, or of all.

        Only trials of the last rung count, and of those only trials on all rows, if there are any.
        """
        last = max(trial.rung or 0 for trial in self.trials)
        final = [trial for trial in self.trials if (trial.rung or 0) == last]
        compared = [trial for trial in final if trial.share == 1] or final
        chosen = [trial for trial in compared if trial.params == self.candidate.params]
        chosen = chosen or [t for t in self.trials if t.params == self.candidate.params]
        ordered = [trial for trial in chosen or compared if math.isfinite(trial.loss)]
        return min(ordered or chosen or compared, key=lambda trial: trial.loss)
