"""Whether requests for one model still do for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lockgate.contract.tables import Column, Schema

__all__ = ["ModelSignature", "breaking", "same_columns"]


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


def breaking(old: ModelSignature, new: ModelSignature) -> list[str]:
    """Say what may break a caller of the old one, one sentence each."""
    found = []
    if old.task != new.task:
        found.append(f"it answers {new.task} instead of {old.task}")
    elif [(type(one), one) for one in old.classes] != [(type(one), one) for one in new.classes]:
        found.append(f"its classes are {[*new.classes]} instead of {[*old.classes]}")
    if old.inputs.target != new.inputs.target:
        found.append(f"it predicts {new.inputs.target} instead of {old.inputs.target}")
    before, after = _inputs(old.inputs), _inputs(new.inputs)
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            found.append(f"it asks for the new column {name}")
        elif name in after:
            found += _narrower(before[name], after[name])
    return found


def _inputs(schema: Schema) -> dict[str, Column]:
    return {column.name: column for column in schema.features}


def _narrower(old: Column, new: Column) -> Sequence[str]:
    """Say in which ways a column takes less than before."""
    found = []
    if old.kind != new.kind:
        found.append(f"{new.name} is {new.kind} instead of {old.kind}")
    if old.missing != new.missing and new.missing == "refuse":
        found.append(f"{new.name} may not be missing any more")
    if old.unknown != new.unknown and new.unknown == "refuse":
        found.append(f"{new.name} refuses unknown categories now")
    elif new.unknown == "refuse" and set(old.categories or ()) - set(new.categories or ()):
        gone = sorted(map(str, set(old.categories or ()) - set(new.categories or ())))
        found.append(f"{new.name} takes no {', '.join(gone[:5])} any more")
    return found


def same_columns(old: ModelSignature, new: ModelSignature) -> bool:
    """Whether both take the same columns, whatever values of them they know."""
    forms = []
    for one in (old, new):
        columns = _inputs(one.inputs).values()
        forms.append([(c.name, c.kind, c.missing, c.unknown) for c in columns])
    return forms[0] == forms[1]
