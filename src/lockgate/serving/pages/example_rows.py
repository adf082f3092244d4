"""Example requests, made up from the schema: no cell of the training data is shown."""

from __future__ import annotations

from typing import Any

from lockgate.contract.tables import Column
from lockgate.prediction_log.columns import shown_columns
from lockgate.serving.prediction.model_store import LoadedModel
from lockgate.serving.settings import LogSettings

__all__ = ["example_row", "list_shown"]

EXAMPLES: dict[str, Any] = {"date": "2026-01-31", "text": "text", "boolean": True}
"""Values of kinds whose values are not told from the schema."""


def list_shown(model: LoadedModel, log: LogSettings) -> frozenset[str]:
    """Return the columns of a model whose categories and bounds may be shown."""
    return shown_columns(model.predictor.inputs, log.inputs, log.redact)


def example_row(model: LoadedModel, log: LogSettings) -> dict[str, Any]:
    """Return a row in the form that the model takes.

    Numbers are about halfway between the bounds of the training data, categories are known.
    Columns that the prediction log omits are null where that is allowed, and else a text that the
    model may refuse.
    """
    columns = {column.name: column for column in model.manifest.schema.columns}
    shown = list_shown(model, log)
    return {name: _example(columns[name], shown=name in shown) for name in model.names}


def _example(column: Column, *, shown: bool) -> Any:
    if not shown and column.missing == "allow":
        return None
    if column.kind in EXAMPLES:
        return EXAMPLES[column.kind]
    if column.kind == "category":
        return column.categories[0] if shown and column.categories else "text"
    low, high = column.bounds if shown and column.bounds else (0.0, 0.0)
    middle = (low + high) / 2
    if column.kind == "integer":
        return round(middle)
    short = float(f"{middle:.3g}")
    return short if low <= short <= high else middle
