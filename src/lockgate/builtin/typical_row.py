"""A row of typical values, made up from what is known of the training rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import lockgate


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
