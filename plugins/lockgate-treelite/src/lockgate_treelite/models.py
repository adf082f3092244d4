"""The models ``lightgbm`` and ``xgboost``."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate

__all__ = ["LightGBMModel", "XGBoostModel"]


@lockgate.plugin
class LightGBMModel:
    """LightGBM: gradient boosting that grows the best leaf first; fast on many rows."""

    tasks: ClassVar = ("binary", "multiclass", "regression")

    trees: int = lockgate.setting(
        200, at_least=1, at_most=10_000, help="number of iterations, each adds a tree per class"
    )
    balanced: bool = lockgate.setting(False, help="weight classes inversely to their frequency")
    quantile: float | None = lockgate.setting(
        None, above=0, below=1, help="regression: quantile to predict; null: the mean"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with LightGBM's estimators."""
        try:
            from lightgbm import LGBMClassifier, LGBMRegressor
        except (ImportError, OSError) as error:
            remedy = "pip install 'lockgate-treelite[lightgbm]'"
            raise lockgate.UsageError(
                f"model lightgbm needs LightGBM: {remedy} ({error})"
            ) from None

        options: dict[str, Any] = {
            "n_estimators": self.trees,
            "random_state": request.seed,
            "n_jobs": request.resources.threads,
            "deterministic": True,  # sums in the same order with any number of threads
            "force_col_wise": True,
            "verbose": -1,
        }
        if self.quantile is not None and request.task != "regression":
            raise lockgate.DataError(
                f"quantile is {self.quantile:g}, and the task is {request.task}; only a regression "
                "has quantiles"
            )
        if request.task == "regression":
            if self.quantile is not None:
                options |= {"objective": "quantile", "alpha": self.quantile}
            estimator = LGBMRegressor(**options)
        else:
            weight = "balanced" if self.balanced else None
            estimator = LGBMClassifier(class_weight=weight, **options)
        return lockgate.Recipe(
            estimator,
            request.task,
            space={
                "learning_rate": lockgate.SearchRange(0.02, 0.3, log_scale=True),
                "num_leaves": [7, 31],
                "min_child_samples": [20, 100],
            },
            requirements=lockgate.Requirements(scaled=False, encoding="ordinal", imputed=False),
            fidelity=lockgate.Fidelity("n_estimators", "learning_rate"),
        )


@lockgate.plugin
class XGBoostModel:
    """XGBoost: gradient boosting with regularized leaves."""

    tasks: ClassVar = ("binary", "multiclass", "regression")

    trees: int = lockgate.setting(
        200, at_least=1, at_most=10_000, help="number of iterations, each adds a tree per class"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with XGBoost's estimators."""
        try:
            from xgboost import XGBRegressor

            from lockgate_treelite.labels import XGBoostClassifier
        except (ImportError, OSError) as error:
            remedy = "pip install 'lockgate-treelite[xgboost]'"
            raise lockgate.UsageError(f"model xgboost needs XGBoost: {remedy} ({error})") from None

        estimator_class = XGBRegressor if request.task == "regression" else XGBoostClassifier
        estimator = estimator_class(
            n_estimators=self.trees,
            tree_method="hist",
            random_state=request.seed,
            n_jobs=request.resources.threads,
        )
        return lockgate.Recipe(
            estimator,
            request.task,
            space={
                "learning_rate": lockgate.SearchRange(0.02, 0.3, log_scale=True),
                "max_depth": [3, 6],
                "min_child_weight": [1, 20],
            },
            requirements=lockgate.Requirements(scaled=False, encoding="ordinal", imputed=False),
            fidelity=lockgate.Fidelity("n_estimators", "learning_rate"),
        )
