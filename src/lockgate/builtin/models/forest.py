"""The model ``forest``: a random forest."""

from __future__ import annotations

from typing import Any

import lockgate


@lockgate.plugin
class Forest:
    """A random forest: the average of trees on resampled rows, good without tuning."""

    trees: int = lockgate.setting(200, at_least=1, at_most=10_000, help="number of trees")
    balanced: bool = lockgate.setting(False, help="weight classes inversely to their frequency")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's random forest."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        options: dict[str, Any] = {"n_estimators": self.trees, "random_state": request.seed}
        if request.task == "regression":
            estimator = RandomForestRegressor(**options)
        else:
            estimator = RandomForestClassifier(
                class_weight="balanced" if self.balanced else None, **options
            )
        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "min_samples_leaf": [1, 5, 20],
            "max_features": ["sqrt", 0.5],
        }
        return lockgate.Recipe(
            estimator,
            request.task,
            space=space,
            requirements=lockgate.Requirements(scaled=False, encoding="ordinal"),
            fidelity=lockgate.Fidelity("n_estimators", continues=True),
        )
