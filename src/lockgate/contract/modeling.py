"""Values on the way from an unfitted recipe to a compressed candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lockgate.contract.requests import Request
from lockgate.contract.tables import Fold, Schema, Table

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
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


@dataclass(frozen=True, kw_only=True)
class BuildRequest(Request):
    """What a model is asked to predict, from what.

    Attributes
    ----------
    schema : Schema
        Columns and roles of the training rows.
    task : {"binary", "multiclass", "regression"}
        What the target is.

    """

    schema: Schema
    task: Task


@dataclass(frozen=True)
class Requirements:
    """What an estimator needs of the cells that reach it.

    Attributes
    ----------
    scaled : bool
        Numbers with mean 0 and standard deviation 1.
    encoding : {"one-hot", "ordinal"}
        How categories become numbers.
    imputed : bool
        No missing values; otherwise they arrive as NaN.

    """

    scaled: bool = True
    encoding: Literal["one-hot", "ordinal"] = "one-hot"
    imputed: bool = True


@dataclass(frozen=True)
class SearchRange:
    """A range of numbers to search in.

    Attributes
    ----------
    low, high : float
        Both ends belong to it.
    log_scale : bool
        Whether equal ratios matter rather than equal differences.
    integer : bool
        Whether only integers are allowed.

    """

    low: float
    high: float
    log_scale: bool = False
    integer: bool = False

    def values(self, count: int) -> list[float]:
        """Return `count` evenly spread values, both ends included.

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
        """Return the value at that share of the way, from 0 to 1."""
        if self.log_scale:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + (self.high - self.low) * share
        return round(value) if self.integer else float(f"{value:.12g}")


@dataclass(frozen=True)
class Recipe:
    """An unfitted model and what may be tuned about it.

    Attributes
    ----------
    estimator : sklearn.base.BaseEstimator
        Unfitted estimator with scikit-learn's interface.
    space : mapping of str to Span or list
        Parameters of the estimator that an optimizer may set.
    task : {"binary", "multiclass", "regression"}
        What it predicts.
    steps : tuple of (str, transformer)
        Fitted steps before the estimator. The host puts the cell rules first.
    requirements : Needs
        What the estimator needs of its input; the host's cell rules provide it.

    """

    estimator: BaseEstimator
    task: Task
    space: Mapping[str, SearchRange | list[Any]] = field(default_factory=dict)
    steps: tuple[tuple[str, Any], ...] = ()
    requirements: Requirements = Requirements()


@dataclass(frozen=True)
class Trial:
    """One measured set of parameters.

    Attributes
    ----------
    params : mapping
        Parameters of the estimator.
    loss : float
        Mean over folds of the metric, turned so that less is better.
    spread : float
        Standard deviation over folds.
    seconds : float
        Time it took.

    """

    params: Mapping[str, Any]
    loss: float
    spread: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Budget:
    """How much an optimizer may spend.

    Attributes
    ----------
    seconds : float or None
        Wall time after which no further trial should start; None: no limit.

    """

    seconds: float | None = None


class Objective(Protocol):
    """Measures parameters by cross-validation."""

    def __call__(self, params: Mapping[str, Any], share: float = 1.0) -> Trial:
        """Fit on that share of each fold's rows and give the loss on its other rows."""


@dataclass(frozen=True, kw_only=True)
class OptimizeRequest(Request):
    """What an optimizer is asked to solve.

    Attributes
    ----------
    recipe : Recipe
        The model, its cell rules already among the steps.
    train : Table
        Training rows.
    folds : tuple of Fold
        Positions in `train` to fit on and to measure on.
    metric : str
        Name of the metric that decides.
    measure : callable
        ``measure(params, share=1.0) -> Trial``: cross-validated loss of those
        parameters. With a smaller share only that part of each fold's rows is
        fitted on, the same rows every time: cheaper, for racing.
    budget : Budget
        What may be spent.

    """

    recipe: Recipe
    train: Table
    folds: tuple[Fold, ...]
    metric: str
    measure: Objective
    budget: Budget = Budget()


@dataclass(frozen=True)
class Candidate:
    """A model that could go on.

    Attributes
    ----------
    recipe : Recipe
        What it is made of.
    params : mapping
        Parameters of the estimator.
    estimator : fitted pipeline or None
        None asks the host to fit recipe and params on the training rows. After a
        compressor that changed it directly (fewer trees), recipe and params do
        not say all of it any more: refitting them would undo that step.
    packed : bytes or None
        The packed model, where a compressor worked on that form.
    threshold : float or None
        Score from which the second of two classes is answered.
    parent : str or None
        What it was derived from.

    """

    recipe: Recipe
    params: Mapping[str, Any] = field(default_factory=dict)
    estimator: Any = None
    packed: bytes | None = None
    threshold: float | None = None
    parent: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """What an optimizer found.

    Attributes
    ----------
    candidate : Candidate
        The best; its estimator may be None, then the host fits it.
    trials : tuple of Trial
        All that were measured, in order.

    """

    candidate: Candidate
    trials: tuple[Trial, ...]

    def __post_init__(self) -> None:
        """Refuse a choice without a measurement."""
        if not self.trials:
            raise ValueError("no trial; an optimizer measures at least one set of parameters")


@dataclass(frozen=True, kw_only=True)
class CompressRequest(Request):
    """What a compressor is asked to make smaller.

    Attributes
    ----------
    candidate : Candidate
        The fitted model as the step before left it.
    train, tune : Table
        Rows to refit on, and rows to decide on.
    metric : str
        Name of the metric that decides.
    loss : callable
        ``loss(estimator) -> float``: its loss on `tune`, less is better.
    fit : callable
        ``fit(recipe, params) -> estimator``: fit a pipeline on `train`.
    max_loss : float
        How much the loss on `tune` may rise in this step, in the metric's own
        units: ``compression.max_loss`` times the loss before any compression.

    """

    candidate: Candidate
    train: Table
    tune: Table
    metric: str
    loss: Callable[[Any], float]
    fit: Callable[[Recipe, Mapping[str, Any]], Any]
    max_loss: float = 0.0
