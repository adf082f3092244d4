"""Values from the unfitted recipe to the compressed candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lockgate.contract.requests import Request
from lockgate.contract.tables import Fold, Schema, Table
from lockgate.errors import NotCovered

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.pipeline import Pipeline

__all__ = [
    "Budget",
    "BuildRequest",
    "Candidate",
    "CompressRequest",
    "Objective",
    "OptimizeRequest",
    "Recipe",
    "Requirements",
    "SearchRange",
    "SearchResult",
    "Task",
    "Trial",
]

Task = Literal["binary", "multiclass", "regression"]
"""What a model predicts: one of two classes, one of several classes, or a number."""


@dataclass(frozen=True, kw_only=True)
class BuildRequest(Request):
    """The task, and the columns to solve it with.

    Attributes
    ----------
    schema : Schema
        Columns and roles of the training rows.
    task : {"binary", "multiclass", "regression"}
        Task of the model.

    """

    schema: Schema
    task: Task


@dataclass(frozen=True)
class Requirements:
    """How the host must prepare an estimator's input.

    Attributes
    ----------
    scaled : bool
        Whether numbers need mean 0 and standard deviation 1.
    encoding : {"one-hot", "ordinal"}
        Encoding of categories.
    imputed : bool
        Whether missing values must be imputed; otherwise they are NaN.

    """

    scaled: bool = True
    encoding: Literal["one-hot", "ordinal"] = "one-hot"
    imputed: bool = True


@dataclass(frozen=True)
class SearchRange:
    """A range of numbers to search.

    Attributes
    ----------
    low, high : float
        Bounds, both included.
    log_scale : bool
        Whether to spread values evenly on a logarithmic scale.
    integer : bool
        Whether only integers are allowed.

    """

    low: float
    high: float
    log_scale: bool = False
    integer: bool = False

    def values(self, count: int) -> list[float]:
        """Return `count` evenly spread values, both bounds included.

        Examples
        --------
        >>> SearchRange(0.01, 100, log_scale=True).values(3)
        [0.01, 1.0, 100.0]
        >>> SearchRange(1, 4, integer=True).values(9)
        [1, 2, 3, 4]

        """
        if count == 1:
            return [self.at(0.5)]
        spread = [self.at(step / (count - 1)) for step in range(count)]
        return sorted(set(spread))

    def at(self, share: float) -> float:
        """Return the value at a share of the range: 0 is `low`, 1 is `high`."""
        if self.log_scale:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + (self.high - self.low) * share
        return round(value) if self.integer else float(f"{value:.12g}")


@dataclass(frozen=True)
class Recipe:
    """An unfitted model and its search space.

    Attributes
    ----------
    estimator : sklearn.base.BaseEstimator
        Unfitted estimator with scikit-learn's interface.
    space : mapping of str to SearchRange or list
        Parameters of the estimator that an optimizer may set; those of a step are written
        ``step__parameter``.
    task : {"binary", "multiclass", "regression"}
        Task of the model.
    steps : tuple of (str, transformer)
        Unfitted steps before the estimator. The host puts the cell rules first.
    requirements : Requirements
        How the host's cell rules must prepare the estimator's input.

    """

    estimator: BaseEstimator
    task: Task
    space: Mapping[str, SearchRange | list[Any]] = field(default_factory=dict)
    steps: tuple[tuple[str, TransformerMixin], ...] = ()
    requirements: Requirements = Requirements()


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

    """

    params: Mapping[str, Any]
    loss: float
    spread: float = 0.0
    seconds: float = 0.0


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
    budget : Budget
        Limits of the search.

    """

    recipe: Recipe
    train: Table
    folds: tuple[Fold, ...]
    metric: str
    measure: Objective
    budget: Budget = Budget()


@dataclass(frozen=True)
class Candidate:
    """A model on its way through the optimizer and the compressors.

    Attributes
    ----------
    recipe : Recipe
        Estimator and steps.
    params : mapping
        Parameters of the estimator.
    estimator : fitted pipeline or None
        With None the host fits recipe and params on the training rows. A compressor
        may change the fitted estimator directly (fewer trees); refitting recipe and
        params would undo that.
    packed : bytes or None
        The packed model, where a compressor changed that form.
    threshold : float or None
        Score from which the positive class is predicted.
    parent : str or None
        Name of the step that it was derived from.

    """

    recipe: Recipe
    params: Mapping[str, Any] = field(default_factory=dict)
    estimator: Any = None
    packed: bytes | None = None
    threshold: float | None = None
    parent: str | None = None


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
        chosen = [trial for trial in self.trials if trial.params == self.candidate.params]
        if not any(math.isfinite(trial.loss) for trial in chosen or self.trials):
            raise ValueError(
                f"the loss of the chosen parameters is {(chosen or self.trials)[0].loss}; choose "
                "a trial with a finite loss"
            )


def _no_packed_form() -> bytes:
    raise NotCovered("this request has no packed form of its candidate")


@dataclass(frozen=True, kw_only=True)
class CompressRequest(Request):
    """A fitted model to make smaller or faster.

    Attributes
    ----------
    candidate : Candidate
        The fitted model as the previous step returned it.
    train, tune : Table
        Rows to refit on, and rows to measure the loss on.
    metric : str
        Name of the metric behind the loss.
    loss : callable
        ``loss(estimator) -> float``: the loss on `tune`; lower is better.
    fit : callable
        ``fit(recipe, params) -> estimator``: fit a pipeline on `train`.
    max_loss : float
        Largest increase of the loss on `tune` in this step, in units of the
        metric: ``compression.max_loss`` times the loss before any compression.
    packed : callable
        ``packed() -> bytes``: the candidate in packed form, for a compressor whose class declares
        ``on_packed = True``. It reads that with `lockgate.PackedContent`,
        and returns the changed one as ``Candidate.packed``. Compressors that need the estimator
        come before it. Raises `lockgate.NotCovered` for a model without a packed form.

    """

    candidate: Candidate
    train: Table
    tune: Table
    metric: str
    loss: Callable[[Pipeline], float]
    fit: Callable[[Recipe, Mapping[str, Any]], Pipeline]
    max_loss: float = 0.0
    packed: Callable[[], bytes] = _no_packed_form
