"""The model ``linear``: least squares or ridge regression."""

from __future__ import annotations

import lockgate


@lockgate.plugin
class Linear:
    """Linear regression by least squares, with a ridge penalty to tune."""

    ridge: bool = lockgate.setting(
        True, help="search for a ridge penalty; off: plain least squares"
    )

    @lockgate.hookimpl
    def build(self, brief: lockgate.Brief) -> lockgate.Recipe:
        """Propose least squares on the chosen backend."""
        from lockgate.arrays.regressor import LeastSquares

        if brief.task != "regression":
            raise lockgate.DataError(
                f"model linear predicts numbers, and the target asks for {brief.task}; "
                "choose model=logistic or model=boosting"
            )
        penalty = {"alpha": lockgate.Span(0.01, 10_000, log=True)}
        return lockgate.Recipe(
            LeastSquares(backend=brief.backend), brief.task, space=penalty if self.ridge else {}
        )
