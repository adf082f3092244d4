"""The model ``extra-trees``: extremely randomized trees."""

from __future__ import annotations

from typing import Any

import lockgate


@lockgate.plugin
class ExtraTrees:
    """Extremely randomized trees: a forest whose cuts are drawn at random, smoother and faster."""

    trees: int = lockgate.setting(200, at_least=1, at_most=10_000, help="number of trees")
    balanced: bool = lockgate.setting(False, help="weight classes inversely to their frequency")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's extra trees."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        options: dict[str, Any] = {"n_estimators": self.trees, "random_state": request.seed}
        if request.task == "regression":
            estimator = ExtraTreesRegressor(**options)
        else:
            estimator = ExtraTreesClassifier(
                class_weight="balanced" if self.balanced else None, **options
            )
        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "min_samples_leaf": [1, 5, 20],
            "max_features": ["sqrt", 0.5, 1.0],
        }
        return lockgate.Recipe(
            estimator,
            request.task,
            space=space,
            requirements=lockgate.Requirements(scaled=False, encoding="ordinal"),
            fidelity=lockgate.Fidelity("n_estimators", continues=True),
        )
