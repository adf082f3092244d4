"""The format ``packed``: lockgate's own model format, read with NumPy and msgspec alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lockgate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.contract.prediction import Columns
    from lockgate.models.packed.runtime.model import PackedModel
    from lockgate.models.packed.runtime.predictions import RowPrediction


@lockgate.plugin
class Packed:
    """Packed models: data that cannot run code, verified before it is used."""

    needs: ClassVar[tuple[str, ...]] = ("numpy",)

    @lockgate.hookimpl
    def write(self, request: lockgate.WriteRequest) -> lockgate.ModelFiles:
        """Turn the fitted model into operations on columns."""
        from lockgate.models.packed.runtime.model import PackedModel
        from lockgate.models.packing.pack import MODEL, match_schema, packed_bytes

        raw, _ = packed_bytes(request.estimator, request.schema, request.classes, request.features)
        schema = match_schema(request.schema, PackedModel(raw).inputs)
        return lockgate.ModelFiles({MODEL: raw}, schema)

    @lockgate.hookimpl
    def open(self, request: lockgate.OpenRequest) -> lockgate.Predictor:
        """Read the model file."""
        from lockgate.models.packed.runtime.open import open_packed

        model = open_packed(request.directory / request.files[0], threshold=request.threshold)
        return PackedPredictor(model, request)


class PackedPredictor:
    """Predicts with a packed model.

    Attributes
    ----------
    schema : Schema
        The columns it expects.
    model : PackedModel
        The model.

    """

    def __init__(self, model: PackedModel, request: lockgate.OpenRequest) -> None:
        self.schema, self.model = request.schema, model
        self._options: dict[str, Any] = {"threads": request.resources.threads}
        if request.backend.name != "numpy":
            self._options["backend"] = request.backend
        expected = request.task, request.classes, max(1, len(request.schema.targets))
        if (model.task, model.classes, model.target_count) != expected:
            raise lockgate.BundleError(
                "the model's task, classes or targets differ from those of the manifest"
            )
        names = {column.name for column in request.schema.features}
        unknown = sorted({column.name for column in model.inputs} - names)
        if unknown:
            raise lockgate.BundleError(
                f"the model needs {', '.join(unknown)}, which the schema lacks"
            )

    def predict(self, columns: Columns, **options: Any) -> lockgate.Output:
        """Predict rows: a DataFrame, an Arrow table, columns by name, or a list of mappings."""
        return self.model.predict(columns, **{**self._options, **options})

    def predict_one(self, row: Mapping[str, Any]) -> RowPrediction:
        """Predict a single row, a mapping of column names to values."""
        return self.model.predict_one(row)
