"""Several models as a single one: their average, their votes, or a model on their predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from lockgate.contract.recipes import NOT_FUSED, Candidate, Recipe
from lockgate.errors import SettingError, UsageError
from lockgate.modeling.training.fitting import clone_steps, split_params
from lockgate.modeling.training.quantiles import quantile_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["Member", "VoteShares", "calibrate", "check_calibration", "check_fusion", "fuse"]

STACK_FOLDS = 5
"""Folds of the members' predictions that a stack is fitted on."""


class Member(Pipeline):  # type: ignore[misc]  # scikit-learn is untyped
    """A pipeline that gives row weights to its last step, as ensembles pass them to members."""

    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Member:
        """Fit the steps, the last one with the weights."""
        extra = {} if sample_weight is None else {"model__sample_weight": sample_weight}
        super().fit(X, y, **extra)
        return self


class VoteShares(VotingClassifier):  # type: ignore[misc]  # scikit-learn is untyped
    """Votes of classifiers, whose scores are the shares of the votes.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> members = [(str(depth), DecisionTreeClassifier(max_depth=depth)) for depth in (1, 2, 3)]
    >>> rows, labels = np.arange(8.0)[:, None], [0, 0, 1, 1, 0, 0, 1, 1]
    >>> VoteShares(members).fit(rows, labels).predict_proba(rows[:3])[:, 1].round(2).tolist()
    [0.0, 0.0, 1.0]

    """

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the share of votes for each class, shape (n, classes)."""
        votes = np.stack([member.predict(X) for member in self.estimators_])
        return np.stack([(votes == k).mean(axis=0) for k in range(len(self.classes_))], axis=1)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the class with most votes, the first of several."""
        labels: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


def fuse(
    recipes: Mapping[str, Recipe],
    params: Mapping[str, Mapping[str, Any]],
    method: str,
    *,
    grouped: bool = False,
) -> Recipe:
    """Return the recipe of a single model that is made of several.

    Parameters
    ----------
    recipes : mapping of str to Recipe
        The members by name, each with the steps that prepare its rows.
    params : mapping of str to mapping
        Parameters of each member and of its steps.
    method : {"average", "vote", "stack"}
        Mean of the scores or values, shares of the votes, or a linear model on the predictions
        that each member makes for rows that it was not fitted on.
    grouped : bool
        Whether rows have groups, which a stack cannot keep together.

    Raises
    ------
    UsageError
        If the members' task has no scores or values to fuse, a stack would split groups, or the
        members predict different quantiles.

    """
    check_fusion(recipes, method, grouped=grouped)
    task = next(iter(recipes.values())).task
    members = [(name, _member(recipe, params[name])) for name, recipe in recipes.items()]
    for name, member in members:
        if "__" in name or name in member.get_params(deep=False):
            raise SettingError("model", name, "a name without __ that is not a parameter")
    # each member prepares the rows by itself
    steps = (("rows", FunctionTransformer()),)
    return Recipe(_ensemble(task, members, method), task, steps=steps)


def check_fusion(recipes: Mapping[str, Recipe], method: str, *, grouped: bool = False) -> None:
    """Refuse what `fuse` would refuse, before the members are searched."""
    task = next(iter(recipes.values())).task
    if task in NOT_FUSED:
        raise UsageError(f"models of the task {task} cannot be fused: choose a single model")
    if method == "stack" and grouped:
        raise UsageError(
            "a stack is fitted on folds that do not keep groups together, so that its scores "
            "would be too good: lockgate run search.fusion=average"
        )
    quantiles = {quantile_of(recipe.estimator) for recipe in recipes.values()}
    if len(quantiles) > 1:
        raise UsageError(
            "the models predict different quantiles, or some of them means, which have no common "
            "average: set the same quantile for each, model.NAME.quantile"
        )
    if method == "stack" and quantiles != {None}:
        raise UsageError("a stack predicts means, no quantiles: use search.fusion=average")
    if method == "vote" and task == "regression":
        raise UsageError("values of a regression cannot be voted on: use search.fusion=average")


def calibrate(candidate: Candidate, method: str, *, grouped: bool = False) -> Candidate:
    """Return a classifier whose scores are corrected on folds of the rows that it is fitted on.

    Platt (1999) for ``sigmoid``, Zadrozny and Elkan (2002) for ``isotonic``; the classifier
    itself is fitted on all rows.

    Raises
    ------
    UsageError
        If it is not a classifier, or rows are `grouped`, which the folds would not keep together.

    """
    recipe = candidate.recipe
    check_calibration(recipe.task, method, grouped=grouped)
    of_estimator, of_steps = split_params(recipe, candidate.params)
    estimator = clone(recipe.estimator).set_params(**of_estimator)
    calibrated = CalibratedClassifierCV(estimator, method=method, ensemble=False)
    steps = tuple(clone_steps(recipe, of_steps))
    return Candidate(Recipe(calibrated, recipe.task, steps=steps))


def check_calibration(task: str, method: str, *, grouped: bool = False) -> None:
    """Refuse what `calibrate` would refuse, before the search."""
    if grouped:
        raise UsageError(
            "scores are calibrated on folds that do not keep groups together, so that they would "
            "be too sure: lockgate run search.calibration=none"
        )
    if task not in ("binary", "multiclass"):
        raise UsageError(
            f"search.calibration is {method}, and the task {task} has no probabilities"
        )


def _member(recipe: Recipe, params: Mapping[str, Any]) -> Member:
    of_estimator, of_steps = split_params(recipe, params)
    estimator = clone(recipe.estimator).set_params(**of_estimator)
    return Member([*clone_steps(recipe, of_steps), ("model", estimator)])


def _ensemble(task: str, members: Sequence[tuple[str, Member]], method: str) -> BaseEstimator:
    if method == "vote":
        return VoteShares(list(members))
    if method == "stack":
        if task == "regression":
            return StackingRegressor(list(members), final_estimator=RidgeCV(), cv=STACK_FOLDS)
        final = LogisticRegression(max_iter=1000)
        return StackingClassifier(
            list(members), final_estimator=final, cv=STACK_FOLDS, stack_method="predict_proba"
        )
    if task == "regression":
        return VotingRegressor(list(members))
    return VotingClassifier(list(members), voting="soft")
