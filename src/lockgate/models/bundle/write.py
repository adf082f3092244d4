"""Writes a bundle atomically."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lockgate.contract.evaluation import ValueMatrix
from lockgate.contract.regions import PredictionRegion
from lockgate.contract.tables import Schema
from lockgate.data.io.atomic import replace_directory
from lockgate.data.io.digests import sha256_file, sha256_text
from lockgate.models.bundle.manifest import MANIFEST, SCHEMA_VERSION, Environment, Hashes, Manifest
from lockgate.models.bundle.reference_row import ReferenceRow

__all__ = ["BundleContent", "canonical", "write_bundle"]


@dataclasses.dataclass(frozen=True)
class BundleContent:
    """The content of a bundle.

    Attributes
    ----------
    name, task, format : str
        Which model, what it predicts, which plugin opens it.
    schema : Schema
        Columns that it expects.
    classes : tuple
        Labels in the order of the scores.
    threshold : float or None
        Score from which the second of two classes is predicted.
    value_matrix : ValueMatrix or None
        Value of each outcome of a decision.
    reference_row : dict
        Cells that predictions are compared with when they are explained, by column.
    model : mapping of str to bytes
        Files of the model by their name in the bundle.
    documents : mapping of str to object
        Plain data to write as JSON, or text, by file name.
    hashes : Hashes
        What it was made from.
    environment : Environment
        Versions that predictions depend on, and those of training.
    region : PredictionRegion or None
        Prediction interval or set.
    array_columns : tuple of str
        Columns of arrays to predict; empty where they are the model's inputs.

    """

    name: str
    task: str
    format: str
    schema: Schema
    classes: tuple[Any, ...]
    threshold: float | None
    value_matrix: ValueMatrix | None
    reference_row: ReferenceRow
    model: Mapping[str, bytes]
    documents: Mapping[str, Any]
    hashes: Hashes
    environment: Environment
    region: PredictionRegion | None = None
    array_columns: tuple[str, ...] = ()
    quantile: float | None = None


def write_bundle(target: Path, content: BundleContent) -> str:
    """Write a bundle in one step and return its digest, the manifest's sha256."""
    with replace_directory(target) as folder:
        for name, raw in content.model.items():
            (folder / name).write_bytes(raw)
        for name, document in content.documents.items():
            text = document if isinstance(document, str) else canonical(document)
            (folder / name).write_text(text, encoding="utf-8")
        files = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
        manifest = Manifest(
            SCHEMA_VERSION,
            content.name,
            content.task,
            content.schema,
            list(content.array_columns),
            list(content.classes),
            content.threshold,
            content.value_matrix,
            content.region,
            content.quantile,
            content.format,
            sorted(content.model),
            content.reference_row,
            files,
            content.hashes,
            content.environment,
        )
        text = canonical(manifest)
        (folder / MANIFEST).write_text(text, encoding="utf-8")
    return sha256_text(text)


def canonical(value: object) -> str:
    """Write plain data as JSON that depends on the data alone: sorted keys, fixed layout."""
    raw = msgspec.json.encode(value, order="sorted")
    return msgspec.json.format(raw, indent=1).decode() + "\n"
