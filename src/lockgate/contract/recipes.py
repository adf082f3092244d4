"""An unfitted model with its search space, and the candidate that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lockgate.contract.requests import Request
from lockgate.contract.tables import Schema

if TYPE_CHECKING:
    import numpy as np
    from sklearn.base import BaseEstimator, TransformerMixin

__all__ = [
    "TWO_CLASSES",
    "UNSUPERVISED",
    "BuildRequest",
    "Candidate",
    "Fidelity",
    "Recipe",
    "Requirements",
    "SearchRange",
    "Task",
]

Task = Literal["binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"]
"""What a model predicts: one of two or of several classes, a number or several, a cluster, or
whether a row is an anomaly."""

UNSUPERVISED = frozenset({"clustering", "anomaly"})
"""Tasks of tables without a target."""

NUMERIC = frozenset({"regression", "multioutput"})
"""Tasks that predict numbers, and have no classes."""

WITHOUT_REGIONS = UNSUPERVISED | {"multioutput"}
"""Tasks whose predictions have no intervals or sets."""

NOT_FUSED = UNSUPERVISED | {"multioutput"}
"""Tasks for which several models cannot become a single one."""

WITHOUT_SCORES = NUMERIC | {"clustering"}
"""Tasks whose models have no probabilities."""

TWO_CLASSES = frozenset({"binary", "anomaly"})
"""Tasks with one score, of the second class, and a threshold for it."""


def is_fitted_to_each(tasks: Sequence[str], task: str) -> bool:
    """Whether a model that declares these tasks is fitted to each target of the task by itself.

    That is a model of a single target, where there are several; so is a model without tasks.

    Examples
    --------
    >>> is_fitted_to_each(("regression",), "multioutput")
    True
    >>> is_fitted_to_each(("regression", "multioutput"), "multioutput")
    False

    """
    return task == "multioutput" and task not in tasks


@dataclass(frozen=True, kw_only=True)
class BuildRequest(Request):
    """The task, and the columns to solve it with.

    Attributes
    ----------
    schema : Schema
        Columns and roles of the training rows.
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        Task of the model.

    """

    schema: Schema
    task: Task

    @property
    def predicts_numbers(self) -> bool:
        """Whether the task is a regression, of one target or of several."""
        return self.task in NUMERIC


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
    sparse : bool
        Whether the estimator takes sparse matrices, so that terms of texts are its columns;
        otherwise they are condensed to a few numbers.

    """

    scaled: bool = True
    encoding: Literal["one-hot", "ordinal"] = "one-hot"
    imputed: bool = True
    sparse: bool = False


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
class Fidelity:
    """The parameter of an estimator that counts its rounds, so that a search can fit a few first.

    Attributes
    ----------
    rounds : str
        Parameter with the number of rounds, e.g. ``max_iter`` or ``n_estimators``.
    rate : str or None
        Parameter that scales each round, e.g. ``learning_rate``; rounds times rate then says how
        far a fit is. None where all rounds count alike, as the trees of a forest do.
    continues : bool
        Whether the estimator, with ``warm_start``, goes on where it stopped and ends with the
        same model as a whole fit, as histogram boosting and forests do. Otherwise it is fitted
        again from the first round, and so is one that stops early by its own rule.

    """

    rounds: str
    rate: str | None = None
    continues: bool = False


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
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        Task of the model.
    steps : tuple of (str, transformer)
        Unfitted steps before the estimator. The host puts the cell rules first.
    requirements : Requirements
        How the host's cell rules must prepare the estimator's input.
    fidelity : Fidelity or None
        What counts the rounds of the estimator; None where it has none.
    portfolio : tuple of mapping
        Parameters that do well on many tables; optimizers may measure them first.

    """

    estimator: BaseEstimator
    task: Task
    space: Mapping[str, SearchRange | list[Any]] = field(default_factory=dict)
    steps: tuple[tuple[str, TransformerMixin], ...] = ()
    requirements: Requirements = Requirements()
    fidelity: Fidelity | None = None
    portfolio: tuple[Mapping[str, Any], ...] = ()

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return a random point of the space."""
        return {
            name: allowed.at(float(rng.random()))
            if isinstance(allowed, SearchRange)
            else allowed[int(rng.integers(len(allowed)))]
            for name, allowed in self.space.items()
        }


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
