"""The model ``gradient-boosting``: gradient boosting on exact cuts."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate
from lockgate.builtin.models.quantile import check_quantile


@lockgate.plugin
class GradientBoosting:
    """Gradient boosting with exact cuts: for small tables; boosting is faster on large ones."""

    tasks: ClassVar = ("binary", "multiclass", "regression")

    trees: int = lockgate.setting(
        150, at_least=1, at_most=10_000, help="number of iterations, each adds a tree per class"
    )
    quantile: float | None = lockgate.setting(
        None, above=0, below=1, help="regression: quantile to predict; null: the mean"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's gradient boosting."""
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

        regression = request.task == "regression"
        estimator_class = GradientBoostingRegressor if regression else GradientBoostingClassifier
        check_quantile(self.quantile, request.task)
        options = {} if self.quantile is None else {"loss": "quantile", "alpha": self.quantile}
        estimator = estimator_class(
            n_estimators=self.trees, subsample=0.8, random_state=request.seed, **options
        )
        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "learning_rate": lockgate.SearchRange(0.02, 0.3, log_scale=True),
            "max_depth": [2, 4],
        }
        return lockgate.Recipe(
            estimator,
            request.task,
            space=space,
            requirements=lockgate.Requirements(scaled=False, encoding="ordinal"),
            fidelity=lockgate.Fidelity("n_estimators", "learning_rate", continues=True),
        )
