"""The forms in which a stage can write a fitted model, by the name of the format that opens it."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockgate.contract.prediction import OpenRequest, Predictor
from lockgate.contract.tables import Schema, Table
from lockgate.errors import NotCovered, UsageError
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packing.pack import packed_bytes
from lockgate.models.skops_file import write_estimator
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, Workspace

__all__ = ["FORMS", "ModelFormat", "form_of", "open_model"]


@dataclasses.dataclass(frozen=True)
class ModelFormat:
    """A form of model files.

    Attributes
    ----------
    file : str
        Name of the model's file.
    write : callable
        ``write(estimator, schema) -> bytes``.
    check : callable
        ``check(estimator, raw, rows)``: refuses a file that answers otherwise.

    """

    file: str
    write: Callable[[Any, Schema], bytes]
    check: Callable[[Any, bytes, Table], None]


def _packed(estimator: Any, schema: Schema) -> bytes:
    try:
        return packed_bytes(estimator, schema)[0]
    except NotCovered as reason:
        raise NotCovered(
            f"{reason}; or choose format=skops, which needs scikit-learn to answer"
        ) from None


def _proved(estimator: Any, raw: bytes, rows: Table) -> None:
    check_parity(estimator, PackedModel(raw), rows.features)


def _skops(estimator: Any, schema: Schema) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        path = Path(folder) / "model"
        write_estimator(path, estimator)
        return path.read_bytes()


FORMS = {
    "packed": ModelFormat("model.packed", _packed, _proved),
    "skops": ModelFormat("model.skops", _skops, lambda *_: None),
}
"""Forms that the stages write; any format plugin may open a bundle made elsewhere."""


def form_of(name: str) -> ModelFormat:
    """Return the form that goes with a format.

    Raises
    ------
    UsageError
        If the stages do not know how to write it.

    """
    if name not in FORMS:
        raise UsageError(
            f"format={name} opens model files, but the pipeline does not write them; "
            f"it writes {' and '.join(FORMS)}"
        )
    return FORMS[name]


def open_model(stage: Stage, workspace: Workspace, made: FinishedModel) -> Predictor:
    """Open the finished model through its format, as a server would."""
    files = OpenRequest(
        **stage.means(),
        directory=workspace.model("compressed"),
        files=(made.file,),
        schema=made.schema,
        task=made.task,
        classes=made.classes,
        threshold=made.threshold,
    )
    found: Predictor = stage.host.call("format", stage.document.one("format").name, files)
    return found
