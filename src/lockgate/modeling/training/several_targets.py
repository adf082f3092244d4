"""Recipes of a single target, for several."""

from __future__ import annotations

from dataclasses import replace

from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor

from lockgate.contract.recipes import Recipe
from lockgate.contract.tables import Schema

__all__ = ["first_target_alone", "fit_each_target"]

INNER = "estimator__"
"""Prefix of the parameters of the estimator inside."""


def first_target_alone(schema: Schema) -> Schema:
    """Return the schema with the first of several targets, without the columns of the others.

    So a model of a single target is asked for; it is then fitted to each of them.
    """
    first, *others = schema.targets
    columns = tuple(column for column in schema.columns if column.name not in others)
    return replace(schema, columns=columns, target=first)


def fit_each_target(recipe: Recipe) -> Recipe:
    """Return a recipe that fits a regression's estimator to each of several targets by itself.

    All of them have the same parameters. The number of rounds of boosting is a parameter like any
    other there, as fits of several targets cannot be continued.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> recipe = fit_each_target(Recipe(Ridge(), "regression", space={"alpha": [1.0, 10.0]}))
    >>> recipe.task, recipe.space
    ('multioutput', {'estimator__alpha': [1.0, 10.0]})

    """
    names = recipe.estimator.get_params()
    return replace(
        recipe,
        estimator=MultiOutputRegressor(clone(recipe.estimator)),
        task="multioutput",
        space={_inside(key, names): values for key, values in recipe.space.items()},
        portfolio=tuple(
            {_inside(key, names): value for key, value in params.items()}
            for params in recipe.portfolio
        ),
        fidelity=None,
    )


def _inside(key: str, names: dict[str, object]) -> str:
    """Return a parameter's name; those of steps keep theirs."""
    return f"{INNER}{key}" if key in names else key
