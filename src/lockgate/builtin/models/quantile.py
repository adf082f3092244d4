"""The setting ``quantile`` of models."""

from __future__ import annotations

import lockgate

__all__ = ["check_quantile"]


def check_quantile(quantile: float | None, task: str) -> None:
    """Refuse a quantile of a task without one; DataError."""
    if quantile is not None and task != "regression":
        raise lockgate.DataError(
            f"quantile is {quantile:g}, and the task is {task}; only a regression has quantiles"
        )
