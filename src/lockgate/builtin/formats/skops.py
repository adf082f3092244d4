"""The format ``skops``: a scikit-learn pipeline in a skops file, read without running code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import lockgate

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from lockgate.contract.prediction import Columns


@lockgate.plugin
class Skops:
    """scikit-learn pipelines as skops files; only types on a fixed list are created."""

    needs: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "scikit-learn", "skops")

    @lockgate.hookimpl
    def write(self, request: lockgate.WriteRequest) -> lockgate.ModelFiles:
        """Write the model file."""
        from lockgate.models.skops_file import write_estimator

        assert request.scratch is not None
        path = request.scratch / "model.skops"
        write_estimator(path, request.estimator)
        schema = _narrow(request.schema, request.estimator)
        return lockgate.ModelFiles({path.name: path.read_bytes()}, schema)

    @lockgate.hookimpl
    def open(self, request: lockgate.OpenRequest) -> lockgate.Predictor:
        """Read the model file."""
        from lockgate.models.skops_file import read_estimator

        return SkopsPredictor(read_estimator(request.directory / request.files[0]), request)


def _narrow(schema: lockgate.Schema, estimator: Pipeline) -> lockgate.Schema:
    """Drop the features that the first step does not read, so that requests need not have them."""
    first = estimator.steps[0][1] if getattr(estimator, "steps", None) else estimator
    parts = getattr(first, "transformers_", None)
    if parts is None or not all(isinstance(names, list) for _, _, names in parts):
        return schema  # columns may also be chosen by number, mask or slice
    used = {name for _, step, names in parts if step != "drop" for name in names}
    if not all(isinstance(name, str) for name in used):
        return schema
    unread = {column.name for column in schema.features} - used
    return schema.with_columns(
        tuple(column for column in schema.columns if column.name not in unread)
    )


class SkopsPredictor:
    """Predicts with a scikit-learn pipeline."""

    def __init__(self, estimator: Pipeline, request: lockgate.OpenRequest) -> None:
        self.schema = request.schema
        self._estimator, self._request = estimator, request

    def predict(self, columns: Columns) -> lockgate.Output:
        """Predict rows, a DataFrame or columns by name, after converting them to the schema."""
        import pandas as pd

        from lockgate.data.conform import conform_to_schema
        from lockgate.modeling.training.estimators import predict_output

        frame = columns if isinstance(columns, pd.DataFrame) else pd.DataFrame(dict(columns))
        features = conform_to_schema(frame, self.schema)
        request = self._request
        return predict_output(
            self._estimator, features, request.task, request.classes, request.threshold
        )
