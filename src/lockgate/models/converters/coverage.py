"""Lists the parts of a model, and which of them have a packed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.models.converters.convert import CONVERTERS
from lockgate.models.converters.libraries import library_of

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["coverage_report"]

PARTS = ("steps", "transformers_", "transformer_list", "estimators")
INNER = (
    "best_estimator_",
    "estimator_",
    "estimator",
    "final_estimator_",
    "regressor_",
)


def coverage_report(estimator: BaseEstimator) -> list[str]:
    """Return a line for each part of a fitted model: its class, and whether it is covered.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> coverage_report(LogisticRegression())
    ['model: LogisticRegression, covered']

    """
    lines: list[str] = []
    _walk("model", estimator, lines)
    return lines


def _walk(path: str, part: object, lines: list[str]) -> None:
    if part is None or isinstance(part, str) or not hasattr(part, "__module__"):
        return
    name = type(part).__name__
    known = f"{library_of(part)}.{name}" in CONVERTERS
    lines.append(f"{path}: {name}, {'covered' if known else 'not covered'}")
    for attribute in PARTS:
        for step in getattr(part, attribute, None) or []:
            if isinstance(step, tuple) and isinstance(step[0], str):
                _walk(f"{path}.{step[0]}", step[1], lines)
    for inner in INNER:
        if hasattr(getattr(part, inner, None), "get_params"):
            _walk(f"{path}.{inner.strip('_')}", getattr(part, inner), lines)
            return
