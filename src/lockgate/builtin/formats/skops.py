"""The format ``skops``: a scikit-learn pipeline in skops' form, read without running code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lockgate

if TYPE_CHECKING:
    from lockgate.contract.prediction import Columns


@lockgate.plugin
class Skops:
    """Open a model that skops wrote; only types on a fixed list are built."""

    needs: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "scikit-learn", "skops")

    @lockgate.hookimpl
    def open(self, request: lockgate.OpenRequest) -> lockgate.Predictor:
        """Read the one file of the model."""
        from lockgate.models.skops_file import read_estimator

        return SkopsPredictor(read_estimator(request.directory / request.files[0]), request)


class SkopsPredictor:
    """Answers through the scikit-learn pipeline."""

    def __init__(self, estimator: Any, request: lockgate.OpenRequest) -> None:
        self.schema = request.schema
        self._estimator, self._request = estimator, request

    def predict(self, columns: Columns) -> lockgate.Output:
        """Answer for rows given as columns, held against the schema first."""
        import pandas as pd

        from lockgate.data.conform import conform_to_schema
        from lockgate.modeling.training.estimators import predict_output

        frame = columns if isinstance(columns, pd.DataFrame) else pd.DataFrame(dict(columns))
        features = conform_to_schema(frame, self.schema)
        request = self._request
        return predict_output(
            self._estimator, features, request.task, request.classes, request.threshold
        )
