"""The forms in which a stage can write a fitted model, by the name of the format that opens it."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockgate.bundle.converters import Converters
from lockgate.errors import NotCovered, UsageError
from lockgate.host.catalogue import Catalogue
from lockgate.packed.model import PackedModel
from lockgate.packing.packer import inputs_of, pack_estimator
from lockgate.packing.parity import proved
from lockgate.packing.skops_file import write_estimator
from lockgate.spec.tables import Schema, Table

__all__ = ["FORMS", "Form", "form_of"]


@dataclasses.dataclass(frozen=True)
class Form:
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
    others = Converters(Catalogue.installed())
    try:
        return pack_estimator(estimator, inputs_of(schema.features), others=others).raw
    except NotCovered as reason:
        raise NotCovered(
            f"{reason}; or choose format=skops, which needs scikit-learn to answer"
        ) from None


def _proved(estimator: Any, raw: bytes, rows: Table) -> None:
    proved(estimator, PackedModel(raw), rows.features)


def _skops(estimator: Any, schema: Schema) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        path = Path(folder) / "model"
        write_estimator(path, estimator)
        return path.read_bytes()


FORMS = {
    "packed": Form("model.packed", _packed, _proved),
    "skops": Form("model.skops", _skops, lambda *_: None),
}
"""Forms that the stages write; any format plugin may open a bundle made elsewhere."""


def form_of(name: str) -> Form:
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
