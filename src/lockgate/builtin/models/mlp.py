"""The model ``mlp``: a multi-layer perceptron."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate


@lockgate.plugin
class Mlp:
    """A small neural network: dense layers with rectifiers, trained by Adam with early stopping.

    Kingma and Ba (2015), Adam: a method for stochastic optimization.
    """

    tasks: ClassVar = ("binary", "multiclass", "regression", "multioutput")

    hidden: list[int] = lockgate.setting(
        [64, 32], at_least=1, at_most=4096, help="number of units of each hidden layer"
    )
    epochs: int = lockgate.setting(200, at_least=1, help="maximum number of passes over the rows")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's multi-layer perceptron."""
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.neural_network import MLPClassifier, MLPRegressor
        from sklearn.preprocessing import StandardScaler

        options: dict[str, Any] = {
            "hidden_layer_sizes": tuple(self.hidden),
            "max_iter": self.epochs,
            "early_stopping": True,
            "random_state": request.seed,
        }
        if request.predicts_numbers:
            # its steps depend on the scale of the target
            estimator = TransformedTargetRegressor(
                MLPRegressor(**options), transformer=StandardScaler()
            )
            prefix = "regressor__"
        else:
            estimator, prefix = MLPClassifier(**options), ""
        space = {
            f"{prefix}alpha": lockgate.SearchRange(1e-5, 0.1, log_scale=True),
            f"{prefix}learning_rate_init": lockgate.SearchRange(3e-4, 0.03, log_scale=True),
        }
        return lockgate.Recipe(estimator, request.task, space=space)
