"""The model ``linear``: ordinary least squares or ridge regression."""

from __future__ import annotations

import lockgate


@lockgate.plugin
class Linear:
    """Linear regression by least squares, with a ridge penalty to tune."""

    ridge: bool = lockgate.setting(True, help="tune a ridge penalty; false: ordinary least squares")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with least squares on the chosen backend."""
        from lockgate.modeling.solvers.regressor import LeastSquares

        if request.task != "regression":
            raise lockgate.DataError(
                f"model linear needs a regression task, got {request.task}; "
                "choose model=logistic or model=boosting"
            )
        space = {"alpha": lockgate.SearchRange(0.01, 10_000, log_scale=True)}
        return lockgate.Recipe(
            LeastSquares(backend=request.backend), request.task, space=space if self.ridge else {}
        )
