"""Features without information: constant or wholly missing in the training rows."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.contract.sections import DataSelection
from lockgate.contract.tables import Table
from lockgate.errors import SchemaViolation

__all__ = ["drop_uninformative", "find_uninformative"]


def drop_uninformative(
    train: Table, other_splits: Sequence[Table], data: DataSelection
) -> tuple[list[Table], list[str]]:
    """Drop features that are constant or missing in the training rows, or reject them.

    Returns
    -------
    list of Table
        The training rows and the other splits without these features.
    list of str
        What was dropped and why, as messages.

    """
    reasons = find_uninformative(train)
    if reasons and data.uninformative == "refuse":
        raise SchemaViolation(reasons.values())
    reduced = []
    for split in (train, *other_splits):
        schema = split.schema.with_columns(
            tuple(column for column in split.schema.columns if column.name not in reasons)
        )
        frame = split.frame[list(schema.names)]
        reduced.append(Table(frame, schema))
    if not reduced[0].schema.features:
        raise SchemaViolation(["no features are left: every column has a role or is uninformative"])
    return reduced, [f"{reason}; dropped" for reason in reasons.values()]


def find_uninformative(train: Table) -> dict[str, str]:
    """Return the features without information, and why, as messages by name."""
    reasons = {}
    for column in train.schema.features:
        values = train.frame[column.name]
        if values.isna().all():
            reasons[column.name] = f"column {column.name} has no values"
        elif values.nunique(dropna=False) == 1:
            reasons[column.name] = f"column {column.name} is constant: {values.tolist()[0]!r}"
    return reasons
