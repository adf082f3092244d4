"""Plain rows of a table, as a client would send them."""

from __future__ import annotations

from typing import Any


def plain_rows(frame: Any) -> list[dict[str, Any]]:
    """Turn rows into mappings of plain Python values, as a request brings them."""
    import pandas as pd

    def plain(value: Any) -> Any:
        if pd.isna(value):
            return None
        if isinstance(value, pd.Timestamp):
            return value.isoformat()
        return value.item() if hasattr(value, "item") else value

    records = frame.astype(object).to_dict("records")
    return [{str(key): plain(value) for key, value in row.items()} for row in records]
