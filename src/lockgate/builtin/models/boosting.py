"""The model ``boosting``: histogram gradient boosting."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate
from lockgate.builtin.models.quantile import check_quantile


@lockgate.plugin
class Boosting:
    """Histogram gradient boosting; needs no imputation of missing values and no scaling."""

    tasks: ClassVar = ("binary", "multiclass", "regression")

    trees: int = lockgate.setting(
        150,
        at_least=1,
        at_most=10_000,
        help="number of boosting iterations, each adds a tree (or one per class)",
    )
    max_leaves: int = lockgate.setting(
        15, at_least=2, at_most=1024, help="maximum number of leaves of a tree"
    )
    quantile: float | None = lockgate.setting(
        None, above=0, below=1, help="regression: quantile to predict; null: the mean"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's histogram gradient boosting."""
        from sklearn.ensemble import (
            HistGradientBoostingClassifier,
            HistGradientBoostingRegressor,
        )

        regression = request.task == "regression"
        estimator_class = (
            HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        )
        check_quantile(self.quantile, request.task)
        options = {} if self.quantile is None else {"loss": "quantile", "quantile": self.quantile}
        estimator = estimator_class(
            max_iter=self.trees,
            max_leaf_nodes=self.max_leaves,
            early_stopping=False,
            random_state=request.seed,
            **options,
        )
        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "learning_rate": lockgate.SearchRange(0.02, 0.3, log_scale=True),
            "min_samples_leaf": [20, 100],
        }
        requirements = lockgate.Requirements(scaled=False, encoding="ordinal", imputed=False)
        return lockgate.Recipe(
            estimator,
            request.task,
            space=space,
            requirements=requirements,
            fidelity=lockgate.Fidelity("max_iter", "learning_rate", continues=True),
        )
