"""The model ``keras``: a dense network, trained with Keras."""

from __future__ import annotations

from typing import ClassVar

import lockgate

__all__ = ["KerasModel"]


@lockgate.plugin
class KerasModel:
    """A dense neural network, trained with Keras by AdamW with early stopping.

    Packed like any other model: predicting needs neither Keras nor TensorFlow.
    """

    tasks: ClassVar = ("binary", "multiclass", "regression")

    hidden: list[int] = lockgate.setting(
        [64, 32], at_least=1, at_most=4096, help="number of units of each hidden layer"
    )
    dropout: float = lockgate.setting(
        0.0, at_least=0, at_most=0.9, help="share of hidden units that a training step leaves out"
    )
    batch_normalization: bool = lockgate.setting(
        False, help="normalize each hidden layer over its batch"
    )
    batch_size: int = lockgate.setting(128, at_least=1, help="rows of a training step")
    epochs: int = lockgate.setting(200, at_least=1, help="maximum number of passes over the rows")
    patience: int = lockgate.setting(
        10, at_least=1, help="passes without improvement on rows set apart, then training stops"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with a dense network."""
        from lockgate_keras.compiled import import_keras
        from lockgate_keras.estimators import DenseClassifier, DenseRegressor

        import_keras()
        network = DenseRegressor if request.task == "regression" else DenseClassifier
        estimator = network(
            hidden=tuple(self.hidden),
            dropout=self.dropout,
            batch_normalization=self.batch_normalization,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            random_state=request.seed,
        )
        return lockgate.Recipe(
            estimator,
            request.task,
            space={
                "learning_rate": lockgate.SearchRange(3e-4, 0.03, log_scale=True),
                "weight_decay": lockgate.SearchRange(1e-5, 0.1, log_scale=True),
            },
        )
