"""Single rows as plain Python values, as a client would send them, and how long they take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lockgate.contract.prediction import Predictor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["median_seconds", "plain_rows", "row_predictor"]


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
    predictor: Predictor, rows: pd.DataFrame | dict[str, Any]
) -> Callable[[], object]:
    """Return a function that predicts the first row, or this one, as a server would."""
    row = rows if isinstance(rows, dict) else plain_rows(rows.iloc[:1])[0]
    predict_one = getattr(predictor, "predict_one", None)
    if predict_one is not None:
        return lambda: predict_one(row)
    columns = {name: [value] for name, value in row.items()}
    return lambda: predictor.predict(columns)


def median_seconds(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Return the median time of each call in seconds, after a first call to warm up.

    They are timed in turns: a ratio of two is more stable than seconds are.
    """
    for call in calls:
        call()
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, times in zip(calls, seconds, strict=True):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
    return [statistics.median(times) for times in seconds]
