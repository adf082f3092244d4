"""The model ``svm``: support vector machines."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate


@lockgate.plugin
class Svm:
    """Support vector machine, linear or with an RBF kernel, with calibrated scores.

    Platt (1999), Probabilistic outputs for support vector machines.
    """

    tasks: ClassVar = ("binary", "multiclass", "regression")

    kernel: str = lockgate.setting(
        "rbf",
        choices=("linear", "rbf"),
        help="linear: for many rows or columns; rbf: up to some 10,000 rows, as the time to fit "
        "grows with the square of their number",
    )
    balanced: bool = lockgate.setting(False, help="weight classes inversely to their frequency")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's support vector machines."""
        regression = request.task == "regression"
        estimator, prefix = self._regressor(request) if regression else self._classifier(request)
        # liblinear takes very long where the penalty is weak
        largest = 100.0 if self.kernel == "rbf" else 1.0
        space = {f"{prefix}__C": lockgate.SearchRange(largest / 10_000, largest, log_scale=True)}
        if self.kernel == "rbf":
            space[f"{prefix}__gamma"] = lockgate.SearchRange(0.001, 1, log_scale=True)
        requirements = lockgate.Requirements(sparse=self.kernel == "linear")
        return lockgate.Recipe(estimator, request.task, space=space, requirements=requirements)

    def _classifier(self, request: lockgate.BuildRequest) -> tuple[Any, str]:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import SVC, LinearSVC

        options: dict[str, Any] = {
            "class_weight": "balanced" if self.balanced else None,
            "random_state": request.seed,
        }
        linear = self.kernel == "linear"
        machine = LinearSVC(max_iter=10_000, **options) if linear else SVC(**options)
        return CalibratedClassifierCV(machine, ensemble=False), "estimator"

    def _regressor(self, request: lockgate.BuildRequest) -> tuple[Any, str]:
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVR, LinearSVR

        linear = self.kernel == "linear"
        machine = (
            LinearSVR(epsilon=0.1, max_iter=10_000, random_state=request.seed)
            if linear
            else SVR(epsilon=0.1)
        )
        # the margin epsilon is in units of the target, so that is scaled
        return TransformedTargetRegressor(machine, transformer=StandardScaler()), "regressor"
