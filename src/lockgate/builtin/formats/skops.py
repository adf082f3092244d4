"""The format ``skops``: a scikit-learn pipeline in a skops file, read without running code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import lockgate

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from lockgate.contract.prediction import Columns


@lockgate.plugin
class Skops:
    """Open a skops file; only types on a fixed list are created."""

    needs: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "scikit-learn", "skops")

    @lockgate.hookimpl
    def open(self, request: lockgate.OpenRequest) -> lockgate.Predictor:
        """Read the model file."""
        from lockgate.models.skops_file import read_estimator

        return SkopsPredictor(read_estimator(request.directory / request.files[0]), request)


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
