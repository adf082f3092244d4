"""The format ``keras``: networks that have no packed form, predicted by Keras itself."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, ClassVar

import lockgate

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from lockgate.contract.prediction import Columns

__all__ = ["KerasFormat"]

NETWORK, WEIGHTS, STEPS = "network.json", "weights.npz", "steps.skops"

TOLERANCE = 1e-5
"""Keras adds in 32 bits, and in another order for other numbers of rows."""


@lockgate.plugin
class KerasFormat:
    """Keras networks that have no packed form, behind scikit-learn's steps; Keras predicts."""

    needs: ClassVar[tuple[str, ...]] = (*("keras", "numpy", "pandas", "scikit-learn", "skops"),)

    @lockgate.hookimpl
    def write(self, request: lockgate.WriteRequest) -> lockgate.ModelFiles:
        """Write the network, and the steps before it."""
        from sklearn.pipeline import Pipeline

        from lockgate.models.skops_file import write_estimator
        from lockgate_keras.files import write_network
        from lockgate_keras.networks import library_of

        estimator, before = request.estimator, []
        if isinstance(estimator, Pipeline):
            *before, (_, estimator) = estimator.steps
        network = getattr(estimator, "network", None)
        if network is None or library_of(network) != "keras":
            raise lockgate.NotCovered(
                "holds networks of Keras, e.g. make_pipeline(steps, NetworkClassifier(network, "
                "classes)); use format=packed"
            )
        description, weights = write_network(network)
        classes = request.estimator.classes_.tolist() if request.classes else None
        content = {
            "network": description,
            "classes": classes,
            "from_logits": getattr(estimator, "from_logits", None),
        }
        files = {NETWORK: json.dumps(content).encode(), WEIGHTS: weights}
        if before:
            assert request.scratch is not None
            path = request.scratch / STEPS
            write_estimator(path, Pipeline(before))
            files[STEPS] = path.read_bytes()
        schema = _refuse_missing(request, Pipeline(before) if before else None)
        return lockgate.ModelFiles(files, schema, tolerance=TOLERANCE)

    @lockgate.hookimpl
    def open(self, request: lockgate.OpenRequest) -> lockgate.Predictor:
        """Read the network, and the steps before it."""
        from sklearn.pipeline import Pipeline

        from lockgate.models.skops_file import read_estimator
        from lockgate_keras.files import read_network
        from lockgate_keras.networks import NetworkClassifier, NetworkRegressor

        try:
            content = json.loads((request.directory / NETWORK).read_bytes())
            description, classes = content["network"], content["classes"]
            from_logits = content["from_logits"]
        except (KeyError, RecursionError, TypeError, ValueError):
            raise lockgate.BundleError(f"{NETWORK} is damaged") from None
        network = read_network(description, (request.directory / WEIGHTS).read_bytes())
        model: Any = NetworkRegressor(network)
        if classes is not None:
            model = NetworkClassifier(network, classes, from_logits=from_logits)
            if model.classes_.tolist() != classes or from_logits not in (None, True, False):
                raise lockgate.BundleError(f"{NETWORK} is damaged")
        steps = []
        if STEPS in request.files:
            steps = read_estimator(request.directory / STEPS).steps
        return KerasPredictor(Pipeline([*steps, ("network", model)]), request)


def _refuse_missing(request: lockgate.WriteRequest, steps: Pipeline | None) -> lockgate.Schema:
    """Return the schema; a column whose missing cells reach the network may have none.

    Most networks answer NaN for them, and some a number: those that take a maximum.
    """
    import numpy as np

    from lockgate.models.converters.fitted_columns import as_fitted

    row = request.features.iloc[:1]
    columns = []
    for column in request.schema.columns:
        if column.name in row:
            gap = row.assign(**{column.name: row[column.name].iloc[:0].reindex(row.index)})
            try:
                inputs = as_fitted(request.estimator, gap)
                inputs = inputs if steps is None else steps.transform(inputs)
                reaches = not np.isfinite(np.asarray(inputs, dtype=float)).all()
            except (TypeError, ValueError):
                reaches = True
            if reaches:
                column = dataclasses.replace(column, missing="refuse")
        columns.append(column)
    return request.schema.with_columns(tuple(columns))


class KerasPredictor:
    """Predicts with a pipeline that ends in a network."""

    servable = True

    def __init__(self, estimator: Pipeline, request: lockgate.OpenRequest) -> None:
        self.schema = request.schema
        self._estimator, self._request = estimator, request

    def predict(self, columns: Columns) -> lockgate.Output:
        """Predict rows, a DataFrame or columns by name, after converting them to the schema."""
        import pandas as pd

        from lockgate.data.conform import conform_to_schema
        from lockgate.modeling.training.estimators import predict_output
        from lockgate.models.converters.fitted_columns import as_fitted

        frame = columns if isinstance(columns, pd.DataFrame) else pd.DataFrame(dict(columns))
        features = as_fitted(self._estimator, conform_to_schema(frame, self.schema))
        request = self._request
        return predict_output(
            self._estimator, features, request.task, request.classes, request.threshold
        )
