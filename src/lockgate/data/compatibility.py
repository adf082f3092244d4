"""Whether requests for one model still do for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lockgate.contract.tables import Column, Schema

__all__ = ["ModelSignature", "find_breaking_changes", "have_same_columns"]


class ModelSignature(Protocol):
    """What requests see of a model; a manifest has it, and so has a contestant at a gate."""

    @property
    def inputs(self) -> Schema:
        """Columns that it asks for."""

    @property
    def task(self) -> str:
        """What it answers."""

    @property
    def classes(self) -> Sequence[Any]:
        """Labels in the order of the scores."""


def find_breaking_changes(old: ModelSignature, new: ModelSignature) -> list[str]:
    """Say what may break a caller of the old one, one sentence each."""
    changes = []
    if old.task != new.task:
        changes.append(f"it answers {new.task} instead of {old.task}")
    elif [(type(label), label) for label in old.classes] != [
        (type(label), label) for label in new.classes
    ]:
        changes.append(f"its classes are {[*new.classes]} instead of {[*old.classes]}")
    if old.inputs.target != new.inputs.target:
        changes.append(f"it predicts {new.inputs.target} instead of {old.inputs.target}")
    before, after = _columns_by_name(old.inputs), _columns_by_name(new.inputs)
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            changes.append(f"it asks for the new column {name}")
        elif name in after:
            changes += _find_narrowed(before[name], after[name])
    return changes


def _columns_by_name(schema: Schema) -> dict[str, Column]:
    return {column.name: column for column in schema.features}


def _find_narrowed(old: Column, new: Column) -> Sequence[str]:
    """Say in which ways a column takes less than before."""
    changes = []
    if old.kind != new.kind:
        changes.append(f"{new.name} is {new.kind} instead of {old.kind}")
    if old.missing != new.missing and new.missing == "refuse":
        changes.append(f"{new.name} may not be missing any more")
    if old.unknown != new.unknown and new.unknown == "refuse":
        changes.append(f"{new.name} refuses unknown categories now")
    elif new.unknown == "refuse" and set(old.categories or ()) - set(new.categories or ()):
        removed = sorted(map(str, set(old.categories or ()) - set(new.categories or ())))
        changes.append(f"{new.name} takes no {', '.join(removed[:5])} any more")
    return changes


def have_same_columns(old: ModelSignature, new: ModelSignature) -> bool:
    """Whether both take the same columns, whatever values of them they know."""
    signatures = []
    for signature in (old, new):
        columns = _columns_by_name(signature.inputs).values()
        signatures.append([(c.name, c.kind, c.missing, c.unknown) for c in columns])
    return signatures[0] == signatures[1]
