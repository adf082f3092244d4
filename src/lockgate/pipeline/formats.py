"""The format of the bundle, as the stages write and open a fitted model with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockgate.contract.prediction import ModelFiles, OpenRequest, Predictor, WriteRequest
from lockgate.contract.tables import Table
from lockgate.errors import NotCovered
from lockgate.models.bundle.open_format import open_model
from lockgate.models.packed.runtime.estimator import PackedEstimator
from lockgate.models.packing.model_files import check_written, write_model
from lockgate.models.packing.pack import MODEL, match_schema
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, FittedModel, Workspace

__all__ = ["ModelWriter", "open_finished"]


class ModelWriter:
    """Writes fitted models with the format that is configured.

    Parameters
    ----------
    stage : Stage
        The stage.
    fitted : FittedModel
        Schema, task and classes of the models.
    rows : Table
        Rows on which the written model is compared with the fitted one.

    """

    def __init__(self, stage: Stage, fitted: FittedModel, rows: Table) -> None:
        self._host, choice = stage.host, stage.parameters.single("format")
        self._name, self._plugin = choice.name, choice.entry.name
        self._request = WriteRequest(
            **stage.request_context(),
            estimator=None,
            schema=fitted.schema,
            task=fitted.task,
            classes=fitted.classes,
            features=rows.features,
        )

    def write(self, estimator: Any) -> ModelFiles:
        """Write a model.

        Raises
        ------
        NotCovered
            If the format cannot hold it.

        """
        if isinstance(estimator, PackedEstimator):  # a compressor changed the packed form
            schema = match_schema(self._request.schema, estimator.model.inputs)
            return ModelFiles({MODEL: estimator.raw}, schema)
        request = replace(self._request, estimator=estimator)
        try:
            return write_model(self._host, self._name, request)
        except NotCovered as error:
            if self._plugin != "packed":
                raise
            raise NotCovered(
                f"{error}; or choose format=skops, which needs scikit-learn to predict"
            ) from None

    def packed(self, estimator: Any) -> bytes:
        """Return a model in packed form."""
        return self.write(estimator).files[MODEL]

    def size(self, estimator: Any) -> int:
        """Return the bytes that a model takes when it is written."""
        return sum(map(len, self.write(estimator).files.values()))

    def check(self, estimator: Any, written: ModelFiles) -> None:
        """Raise `NotCovered` unless the written model predicts what the fitted one does."""
        if isinstance(estimator, PackedEstimator):
            return
        request = replace(self._request, estimator=estimator)
        check_written(self._host, self._name, request, written)


def open_finished(stage: Stage, workspace: Workspace, model: FinishedModel) -> Predictor:
    """Open the finished model with its format plugin, as a server does."""
    request = OpenRequest(
        **stage.request_context(),
        directory=workspace.model("compressed"),
        files=model.files,
        schema=model.schema,
        task=model.task,
        classes=model.classes,
        threshold=model.threshold,
    )
    return open_model(stage.host, stage.parameters.single("format").name, request)
