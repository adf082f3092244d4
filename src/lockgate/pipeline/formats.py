"""The formats in which the stages write a fitted model, by the name of the plugin."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockgate.contract.prediction import OpenRequest, Predictor
from lockgate.contract.tables import Schema, Table
from lockgate.errors import NotCovered
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packing.pack import packed_bytes
from lockgate.models.skops_file import write_estimator
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, Workspace

__all__ = ["MODEL_FORMATS", "ModelFormat", "open_model"]


@dataclasses.dataclass(frozen=True)
class ModelFormat:
    """A way to write model files.

    Attributes
    ----------
    file : str
        Name of the model file.
    write : callable
        ``write(estimator, schema) -> bytes``.
    check : callable
        ``check(estimator, raw, rows)``: raises an error where the predictions of the file
        are not those of the estimator.

    """

    file: str
    write: Callable[[Any, Schema], bytes]
    check: Callable[[Any, bytes, Table], None]


def _write_packed(estimator: Any, schema: Schema) -> bytes:
    try:
        return packed_bytes(estimator, schema)[0]
    except NotCovered as error:
        raise NotCovered(
            f"{error}; or choose format=skops, which needs scikit-learn to predict"
        ) from None


def _check_packed(estimator: Any, raw: bytes, rows: Table) -> None:
    check_parity(estimator, PackedModel(raw), rows.features)


def _write_skops(estimator: Any, schema: Schema) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        path = Path(folder) / "model"
        write_estimator(path, estimator)
        return path.read_bytes()


MODEL_FORMATS = {
    "packed": ModelFormat("model.packed", _write_packed, _check_packed),
    "skops": ModelFormat("model.skops", _write_skops, lambda *_: None),
}
"""How each of `WRITTEN_FORMATS` is written."""


def open_model(stage: Stage, workspace: Workspace, model: FinishedModel) -> Predictor:
    """Open the finished model with its format plugin, as a server does."""
    request = OpenRequest(
        **stage.request_context(),
        directory=workspace.model("compressed"),
        files=(model.file,),
        schema=model.schema,
        task=model.task,
        classes=model.classes,
        threshold=model.threshold,
    )
    predictor: Predictor = stage.host.call(
        "format", stage.parameters.single("format").name, request
    )
    return predictor
