"""The columns of an exported prediction log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

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
        if len(self.targets) > 1:
            return tuple(f"value_{target}" for target in self.targets)
        return ("value",) if self.numeric else ("label",)

    def of_labels(self, label: Any) -> dict[str, Any]:
        """Return the columns of a label; of several targets it is a mapping."""
        if len(self.targets) == 1:
            return {self.targets[0]: label}
        values = label if isinstance(label, dict) else {}
        return {target: values.get(target) for target in self.targets}

    def of_predictions(self, label: Any) -> dict[str, Any]:
        """Return the columns of a prediction; of several targets it is a list of values.

        It is None for a row that was refused.
        """
        values = [label] if len(self.outputs) == 1 else label or [None] * len(self.outputs)
        return {f"{PREFIX}{name}": v for name, v in zip(self.outputs, values, strict=True)}


def build_schema(deployment: Deployment, models: list[Model]) -> tuple[pa.Schema, ExportedColumns]:
    """Return the schema for all versions together, and the names of labels and predictions.

    Inputs come first, numbers as doubles, all others as texts; then the target, then the columns
    about the predictions.

    Raises
    ------
    LogError
        If an input has the name of another column, or versions predict several other targets.

    """
    manifests = [manifest for model in models if (manifest := deployment.manifest(model.digest))]
    kinds: dict[str, set[bool]] = {}
    for manifest in manifests:
        for column in manifest.schema.columns:
            kinds.setdefault(column.name, set()).add(column.kind in NUMBERS)
    served = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    names = {model.name for model in models}
    # the version that is served decides, and else the latest of the log
    by_weight = [*manifests, *(m for m in served if m is not None and m.name in names)]
    targets = [m.schema.targets for m in by_weight if m.schema.targets]
    if len({m.schema.targets for m in by_weight if m.task == "multioutput"} | {*targets[-1:]}) > 1:
        raise LogError("versions predict other targets; export one at a time, with --version")
    label_type = _label_type(manifests)
    numeric = bool(manifests) and {m.task for m in manifests} <= NUMERIC
    is_multiclass = any(manifest.task == "multiclass" for manifest in manifests)
    score_type = pa.list_(pa.float64()) if is_multiclass else pa.float64()
    timestamp_type = pa.timestamp("us", tz="UTC")
    fields = []
    for name in dict.fromkeys(column for model in models for column in model.columns):
        # where versions differ, a text holds what all of them had
        is_number = kinds.get(name) == {True}
        fields.append((name, pa.float64() if is_number else pa.string()))
    names_of_labels = targets[-1] if targets else (TRUE_LABEL,)
    columns = ExportedColumns(names_of_labels, numeric)
    fields += [(target, label_type) for target in names_of_labels]
    about = [("id", pa.string()), ("time", timestamp_type)]
    about += [(name, pa.string()) for name in ("model", "version", "stage", "bundle", "key")]
    about += [(name, label_type) for name in columns.outputs]
    about += [("score", score_type), ("margin", score_type)]
    about += [("traceparent", pa.string()), ("labelled_at", timestamp_type)]
    schema = pa.schema([*fields, *((PREFIX + name, kind) for name, kind in about)])
    duplicated = [name for name in schema.names if schema.names.count(name) > 1]
    if duplicated:
        raise LogError(
            f"an input is named {duplicated[0]}, as the target or a column about the predictions; "
            "export one version at a time, with --version"
        )
    return schema, columns


def _label_type(manifests: list[Manifest]) -> pa.DataType:
    kinds = {type(class_label) for manifest in manifests for class_label in manifest.classes}
    if manifests and not kinds:
        return pa.float64()
    arrow_types = {int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
    return arrow_types.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()
