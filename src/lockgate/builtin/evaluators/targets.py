"""Evaluators that need a target."""

from __future__ import annotations

import lockgate
from lockgate.contract.recipes import UNSUPERVISED

__all__ = ["require_target"]


def require_target(evaluator: str, task: str) -> None:
    """Raise a `DataError` for a task without a target."""
    if task in UNSUPERVISED:
        raise lockgate.DataError(
            f"evaluator {evaluator} needs a target, and the task is {task}; remove it from "
            "evaluator=[...]"
        )
