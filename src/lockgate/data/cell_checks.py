"""Checks cell rules against a schema, before anything is fitted."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Schema
from lockgate.errors import SchemaViolation
from lockgate.suggestions import nearest

__all__ = ["check_cell_rules"]


def check_cell_rules(schema: Schema, rules: CellRules, left_out: Sequence[str] = ()) -> None:
    """Check that features can be prepared by the rules.

    Parameters
    ----------
    schema : Schema
        The columns.
    rules : CellRules
        The rules.
    left_out : sequence of str
        Columns that the project leaves out already, for the advice to leave out more.

    Raises
    ------
    SchemaViolation
        For bins of an unknown or not numeric feature, edges that do not rise, and
        features of text, which cannot be encoded.

    """
    names = [column.name for column in schema.features]
    for name, edges in rules.bins.items():
        if name not in names:
            raise SchemaViolation([f"cells.bins: unknown feature {name!r}{nearest(name, names)}"])
        kind = schema[name].kind
        if kind not in ("number", "integer"):
            raise SchemaViolation([f"cells.bins.{name}: expected a column of numbers, got {kind}"])
        if not edges or any(high <= low for low, high in itertools.pairwise(edges)):
            raise SchemaViolation([f"cells.bins.{name} is {edges}, expected rising edges"])
    if texts := [column.name for column in schema.features if column.kind == "text"]:
        raise SchemaViolation(
            [
                f"{', '.join(texts)}: texts with many different values cannot be encoded; leave "
                f"them out with data.leave_out=[{','.join([*left_out, *texts])}], or declare their "
                "kind, e.g. "
                f"'data.kinds={{{texts[0]}:category}}'"
            ]
        )
