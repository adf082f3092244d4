"""The models ``forest`` and ``extra-trees``: averages of many trees."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import lockgate

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["ExtraTrees", "Forest"]


@dataclasses.dataclass(eq=False, kw_only=True)
class ForestSettings:
    """Settings of forests, and the recipe that they have in common."""

    tasks: ClassVar = ("binary", "multiclass", "regression", "multioutput")

    trees: int = lockgate.setting(200, at_least=1, at_most=10_000, help="number of trees")
    balanced: bool = lockgate.setting(False, help="weight classes inversely to their frequency")

    def make_recipe(
        self,
        request: lockgate.BuildRequest,
        classifier: type[BaseEstimator],
        regressor: type[BaseEstimator],
        max_features: list[str | float],
    ) -> lockgate.Recipe:
        """Return a recipe with a forest for the task."""
        options: dict[str, Any] = {"n_estimators": self.trees, "random_state": request.seed}
        if not request.predicts_numbers:
            options["class_weight"] = "balanced" if self.balanced else None
        return lockgate.Recipe(
            (regressor if request.predicts_numbers else classifier)(**options),
            request.task,
            space={"min_samples_leaf": [1, 5, 20], "max_features": max_features},
            requirements=lockgate.Requirements(scaled=False, encoding="ordinal"),
            fidelity=lockgate.Fidelity("n_estimators", continues=True),
        )


@lockgate.plugin
class Forest(ForestSettings):
    """A random forest: the average of trees on resampled rows, good without tuning."""

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's random forest."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        return self.make_recipe(
            request, RandomForestClassifier, RandomForestRegressor, ["sqrt", 0.5]
        )


@lockgate.plugin
class ExtraTrees(ForestSettings):
    """Extremely randomized trees: a forest whose cuts are drawn at random, smoother and faster."""

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's extra trees."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        return self.make_recipe(
            request, ExtraTreesClassifier, ExtraTreesRegressor, ["sqrt", 0.5, 1.0]
        )
