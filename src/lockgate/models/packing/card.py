"""The card of a model that was fitted elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.contract.regions import PredictionRegion
from lockgate.contract.tables import Schema, Table
from lockgate.data.data_contract.rules import DataContract
from lockgate.models.bundle.card import (
    describe_carried_rows,
    describe_quantile,
    model_card,
)
from lockgate.models.bundle.open_format import Model

__all__ = ["render_card"]


UNKNOWN = "unknown"


ORIGIN = ("commit", "data", "parameters", "environment")


def render_card(
    name: str,
    model: Model,
    schema: Schema,
    table: Table,
    *,
    metrics: dict[str, Any],
    score_threshold: float | None,
    region: PredictionRegion | None,
    quantile: float | None,
    contract: DataContract | None,
    test_rows: int,
    warnings: Sequence[str],
    lineage: Mapping[str, str],
) -> str:
    """Return the card, in Markdown.

    Parameters
    ----------
    name : str
        Name of the model.
    model : PackedModel or TableModel
        The model.
    schema : Schema
        Its inputs and their roles.
    table : Table
        Rows that it was packed with.
    metrics : dict
        Metrics on held-out rows, by evaluator.
    score_threshold : float or None
        Score from which the positive class is predicted, where one was set.
    region : PredictionRegion or None
        Prediction interval or set.
    quantile : float or None
        Quantile that a regression predicts.
    contract : DataContract or None
        The data contract that the rows hold.
    test_rows : int
        Number of held-out rows that it was evaluated on.
    warnings : sequence of str
        What the comparison with the original leaves open.
    lineage : mapping of str to str
        Origin as declared.

    """
    decision = ""
    if score_threshold is not None:
        decision = (
            f"`{model.classes[1]}` is predicted when the score is at least {score_threshold:.4g}."
        )
    if quantile is not None:
        decision = describe_quantile(quantile)
    if region is not None:
        decision = f"{decision} {region.describe()}".strip()
    known = {key: f"declared: {value}" for key, value in lineage.items()}
    origin = [f"- {key}: {known.pop(key, UNKNOWN)}" for key in ORIGIN]
    origin += [f"- {key}: {value}" for key, value in known.items()]
    return model_card(
        name,
        model.task,
        schema,
        description="fitted outside of lockgate, and packed.",
        data_notes=[
            f"It was packed with {len(table)} rows (sha256 {table.digest[:12]})"
            + (f", and evaluated on {test_rows} others." if test_rows else ".")
        ],
        classes=model.classes,
        contract=None if contract is None else contract.plain(),
        metrics_by_evaluator=metrics,
        warnings=[*describe_carried_rows(model), *warnings],
        decision=decision,
        lineage=origin,
    )
