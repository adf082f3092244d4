"""The columns of an exported prediction log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lockgate.contract.prediction import value_columns, values_by_name
from lockgate.contract.recipes import NUMERIC
from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError
from lockgate.models.bundle.manifest import Manifest
from lockgate.prediction_log.entries import Model

__all__ = ["PREFIX", "ExportedColumns", "build_schema"]

NUMBERS = ("number", "integer", "boolean")
"""Kinds of columns that are exported as doubles."""

PREFIX = "prediction."
"""Prefix of the columns about a prediction; inputs and target have the names of the training."""

TRUE_LABEL = "true_label"
"""Name of the column of true labels, where the model's target has no name."""


@dataclass(frozen=True)
class ExportedColumns:
    """Names of the columns of labels and predictions, one of each, or of each target.

    Attributes
    ----------
    targets : tuple of str
        Columns of the true labels.
    numeric : bool
        Whether numbers are predicted.

    """

    targets: tuple[str, ...]
    numeric: bool

    @property
    def outputs(self) -> tuple[str, ...]:
        """Columns of the predictions."""
        return value_columns(self.targets) if self.numeric else ("label",)

    def of_labels(self, label: Any) -> dict[str, Any]:
        """Return the columns of a label; of several targets it is a mapping."""
        if isinstance(label, dict):
            return {target: label.get(target) for target in self.targets}
        return {self.targets[0]: label} if len(self.targets) == 1 else {}

    def of_predictions(self, label: Any) -> dict[str, Any]:
        """Return the columns of a prediction; of several targets it is a list of values.

        It is None for a row that was refused.
        """
        values = [label] if len(self.outputs) == 1 else label or [None] * len(self.outputs)
        return values_by_name([PREFIX + name for name in self.outputs], values)


def build_schema(
    deployment: Deployment, models: list[Model]
) -> tuple[pa.Schema, dict[str, ExportedColumns]]:
    """Return the schema for all versions together, and each bundle's labels and predictions.

    Inputs come first, numbers as doubles, all others as texts; then the targets, then the columns
    about the predictions. Versions of several targets have columns of their own; of all others
    the version that is served, or else the latest, names the target.

    Raises
    ------
    LogError
        If an input has the name of another column.

    """
    known = {m.digest: manifest for m in models if (manifest := deployment.manifest(m.digest))}
    manifests = list(known.values())
    single = [manifest for manifest in manifests if manifest.task != "multioutput"]
    by_digest = _columns_by_digest(deployment, models, known, single)
    label_type = _label_type(single)
    is_multiclass = any(manifest.task == "multiclass" for manifest in manifests)
    score_type = pa.list_(pa.float64()) if is_multiclass else pa.float64()
    timestamp_type = pa.timestamp("us", tz="UTC")
    fields = [*_input_fields(manifests, models)]
    about = [("id", pa.string()), ("time", timestamp_type)]
    about += [(name, pa.string()) for name in ("model", "version", "stage", "bundle", "key")]
    targets: dict[str, pa.DataType] = {}
    outputs: dict[str, pa.DataType] = {}
    for columns in by_digest.values():
        of_numbers = len(columns.targets) > 1
        for names, kinds in ((columns.targets, targets), (columns.outputs, outputs)):
            for name in names:
                kinds.setdefault(name, pa.float64() if of_numbers else label_type)
    about += [*outputs.items(), ("score", score_type), ("margin", score_type)]
    about += [("traceparent", pa.string()), ("labelled_at", timestamp_type)]
    fields += targets.items()
    schema = pa.schema([*fields, *((PREFIX + name, kind) for name, kind in about)])
    duplicated = [name for name in schema.names if schema.names.count(name) > 1]
    if duplicated:
        raise LogError(
            f"an input is named {duplicated[0]}, as the target or a column about the predictions; "
            "export one version at a time, with --version"
        )
    return schema, by_digest


def _input_fields(manifests: list[Manifest], models: list[Model]) -> Iterator[tuple[str, Any]]:
    kinds: dict[str, set[bool]] = {}
    for manifest in manifests:
        for column in manifest.schema.columns:
            kinds.setdefault(column.name, set()).add(column.kind in NUMBERS)
    for name in dict.fromkeys(column for model in models for column in model.columns):
        # where versions differ, a text holds what all of them had
        is_number = kinds.get(name) == {True}
        yield name, pa.float64() if is_number else pa.string()


def _columns_by_digest(
    deployment: Deployment,
    models: list[Model],
    known: Mapping[str, Manifest],
    single: Sequence[Manifest],
) -> dict[str, ExportedColumns]:
    """Return the columns of each bundle's labels and predictions."""
    served = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    names = {model.name for model in models}
    by_weight = [*single, *(m for m in served if m is not None and m.name in names)]
    targets = [m.schema.targets for m in by_weight if len(m.schema.targets) == 1]
    numeric = bool(single) and all(manifest.task in NUMERIC for manifest in single)
    of_single = ExportedColumns(targets[-1] if targets else (TRUE_LABEL,), numeric)
    return {
        model.digest: ExportedColumns(manifest.schema.targets, True)
        if (manifest := known.get(model.digest)) is not None and manifest.task == "multioutput"
        else of_single
        for model in models
    }


def _label_type(manifests: list[Manifest]) -> pa.DataType:
    kinds = {type(class_label) for manifest in manifests for class_label in manifest.classes}
    if manifests and not kinds:
        return pa.float64()
    arrow_types = {int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
    return arrow_types.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()
