"""The model ``logistic``: penalized logistic regression."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate


@lockgate.plugin
class Logistic:
    """Logistic regression for two or more classes, with the penalty to tune."""

    tasks: ClassVar = ("binary", "multiclass")

    penalty: str = lockgate.setting(
        "ridge",
        choices=("ridge", "lasso", "elastic-net"),
        help="lasso and elastic-net set coefficients to 0, and take longer",
    )
    balanced: bool = lockgate.setting(False, help="weight classes inversely to their frequency")
    max_iterations: int = lockgate.setting(
        1000, at_least=1, help="maximum number of iterations of the solver"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's logistic regression."""
        from sklearn.linear_model import LogisticRegression

        if request.task == "regression":
            raise lockgate.DataError(
                "model logistic needs a classification task, got regression; "
                "choose model=linear or model=boosting"
            )
        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "C": lockgate.SearchRange(0.001, 100, log_scale=True)
        }
        options: dict[str, Any] = {}
        if self.penalty != "ridge":
            options = {"solver": "saga", "l1_ratio": 1.0 if self.penalty == "lasso" else 0.5}
        if self.penalty == "elastic-net":
            space["l1_ratio"] = [0.1, 0.5, 0.9]
        estimator = LogisticRegression(
            max_iter=self.max_iterations,
            class_weight="balanced" if self.balanced else None,
            random_state=request.seed,
            **options,
        )
        requirements = lockgate.Requirements(sparse=True)
        return lockgate.Recipe(estimator, request.task, space=space, requirements=requirements)
