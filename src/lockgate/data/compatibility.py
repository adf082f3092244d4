"""Compatibility of models: whether requests for one remain valid for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lockgate.contract.tables import Column, Schema

__all__ = ["ModelSignature", "find_breaking_changes", "have_same_columns"]


class ModelSignature(Protocol):
    """What a caller must know of a model; manifests and evaluated bundles have it."""

    @property
    def schema(self) -> Schema:
        """Columns of the model's rows, with their roles."""

    @property
    def task(self) -> str:
        """Task of the model."""

    @property
    def classes(self) -> Sequence[object]:
        """Labels in the order of the scores."""


def find_breaking_changes(old: ModelSignature, new: ModelSignature) -> list[str]:
    """Return the changes that may break callers of the old model, as sentences."""
    changes = []
    if old.task != new.task:
        changes.append(f"its task is {new.task} instead of {old.task}")
    elif [(type(label), label) for label in old.classes] != [
        (type(label), label) for label in new.classes
    ]:
        changes.append(f"its classes are {[*new.classes]} instead of {[*old.classes]}")
    if old.schema.target != new.schema.target:
        predicted = [", ".join(signature.schema.targets) for signature in (new, old)]
        changes.append(f"it predicts {predicted[0]} instead of {predicted[1]}")
    before, after = _columns_by_name(old.schema), _columns_by_name(new.schema)
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            changes.append(f"it requires the new column {name}")
        elif name in after:
            changes += _find_narrowed(before[name], after[name])
    return changes


def _columns_by_name(schema: Schema) -> dict[str, Column]:
    return {column.name: column for column in schema.features}


def _find_narrowed(old: Column, new: Column) -> Sequence[str]:
    """Return the ways in which a column allows fewer values than before."""
    changes = []
    if old.kind != new.kind:
        changes.append(f"{new.name} is {new.kind} instead of {old.kind}")
    if old.missing != new.missing and new.missing == "refuse":
        changes.append(f"{new.name} may no longer be missing")
    if old.unknown != new.unknown and new.unknown == "refuse":
        changes.append(f"{new.name} no longer allows unknown categories")
    elif new.unknown == "refuse" and set(old.categories or ()) - set(new.categories or ()):
        removed = sorted(map(str, set(old.categories or ()) - set(new.categories or ())))
        changes.append(f"{new.name} no longer allows {', '.join(removed[:5])}")
    return changes


def have_same_columns(old: ModelSignature, new: ModelSignature) -> bool:
    """Return whether both take the same columns, apart from categories and bounds."""
    signatures = []
    for signature in (old, new):
        columns = _columns_by_name(signature.schema).values()
        signatures.append([(c.name, c.kind, c.missing, c.unknown) for c in columns])
    return signatures[0] == signatures[1]
