"""Single rows as plain Python values, as a client would send them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import lockgate

if TYPE_CHECKING:
    import pandas as pd


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn rows into mappings of plain Python values, as in a request."""
    import pandas as pd

    def plain(value: Any) -> Any:
        if pd.isna(value):
            return None
        if isinstance(value, pd.Timestamp):
            return value.isoformat()
        return value.item() if hasattr(value, "item") else value

    records = frame.astype(object).to_dict("records")
    return [{str(key): plain(value) for key, value in row.items()} for row in records]


def row_predictor(
    predictor: lockgate.Predictor, rows: pd.DataFrame | dict[str, Any]
) -> Callable[[], object]:
    """Return a function that predicts the first row, or this one, as a server would."""
    row = rows if isinstance(rows, dict) else plain_rows(rows.iloc[:1])[0]
    predict_one = getattr(predictor, "predict_one", None)
    if predict_one is not None:
        return lambda: predict_one(row)
    columns = {name: [value] for name, value in row.items()}
    return lambda: predictor.predict(columns)


def typical_row(inputs: lockgate.Schema, reference: lockgate.ReferenceCounts) -> dict[str, Any]:
    """Return a row with the most frequent category or bin of each column in training."""
    bins = {counts.column: counts for counts in reference.columns}
    return {column.name: _typical(column, bins.get(column.name)) for column in inputs.features}


def _typical(column: lockgate.Column, bins: lockgate.BinCounts | None) -> Any:
    """Return a frequent training value; None where all training values were missing."""
    if bins is None or not sum(bins.counts[1:]):
        return None
    # counts[0] are missing values, so that counts[1] belong to the first bin
    fullest = max(range(1, len(bins.counts)), key=bins.counts.__getitem__) - 1
    if bins.kind == "nominal":
        return bins.categories[fullest] if fullest < len(bins.categories) else "other"
    value = bins.edges[min(fullest, len(bins.edges) - 1)] if bins.edges else 0.0
    match column.kind:
        case "boolean":
            return value >= 0.5
        case "integer":
            return round(value)
        case "date":  # counted in days since 1970
            date = datetime.fromtimestamp(0, UTC) + timedelta(days=value)
            return date.replace(tzinfo=None).isoformat()
        case _:
            return value
