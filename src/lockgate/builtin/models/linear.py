"""The model ``linear``: least squares, ridge, lasso and elastic net."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate


@lockgate.plugin
class Linear:
    """Linear regression with a penalty to tune: ridge, lasso, elastic net, or none.

    Ridge and no penalty are solved on the chosen array backend.
    """

    tasks: ClassVar = ("regression",)

    penalty: str = lockgate.setting(
        "ridge",
        choices=("none", "ridge", "lasso", "elastic-net"),
        help="none: ordinary least squares; lasso and elastic-net set coefficients to 0",
    )
    quantile: float | None = lockgate.setting(
        None,
        above=0,
        below=1,
        help="quantile to predict, with the penalty of lasso or none; to some 10,000 rows; null: "
        "the mean",
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with a linear regression."""
        if request.task != "regression":
            raise lockgate.DataError(
                f"model linear needs a regression task, got {request.task}; "
                "choose model=logistic or model=boosting"
            )
        if self.quantile is not None:
            return self._of_quantile(request, self.quantile)
        if self.penalty in ("lasso", "elastic-net"):
            return self._sparse(request)
        from lockgate.modeling.solvers.regressor import LeastSquares

        space = {"alpha": lockgate.SearchRange(0.01, 10_000, log_scale=True)}
        return lockgate.Recipe(
            LeastSquares(backend=request.backend),
            request.task,
            space=space if self.penalty == "ridge" else {},
        )

    def _of_quantile(self, request: lockgate.BuildRequest, quantile: float) -> lockgate.Recipe:
        """Return a recipe of Koenker and Bassett's regression (1978)."""
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.linear_model import QuantileRegressor
        from sklearn.preprocessing import StandardScaler

        if self.penalty == "elastic-net":
            raise lockgate.DataError(
                "model linear has no elastic net for a quantile: choose penalty=lasso or none"
            )
        # the penalty is in units of the target, so that is scaled
        estimator = TransformedTargetRegressor(
            QuantileRegressor(quantile=quantile, alpha=0.0), transformer=StandardScaler()
        )
        space = {"regressor__alpha": lockgate.SearchRange(1e-4, 0.1, log_scale=True)}
        return lockgate.Recipe(
            estimator, request.task, space={} if self.penalty == "none" else space
        )

    def _sparse(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.linear_model import ElasticNet, Lasso
        from sklearn.preprocessing import StandardScaler

        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "regressor__alpha": lockgate.SearchRange(1e-4, 1, log_scale=True)
        }
        regressor: Any = Lasso(max_iter=10_000)
        if self.penalty == "elastic-net":
            regressor = ElasticNet(max_iter=10_000)
            space["regressor__l1_ratio"] = [0.1, 0.5, 0.9]
        # the penalty is in units of the target, so that is scaled
        estimator = TransformedTargetRegressor(regressor, transformer=StandardScaler())
        requirements = lockgate.Requirements(sparse=True)
        return lockgate.Recipe(estimator, request.task, space=space, requirements=requirements)
