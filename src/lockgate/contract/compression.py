"""Requests to compressors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate.contract.recipes import Candidate, Recipe
from lockgate.contract.requests import Request
from lockgate.contract.tables import Table
from lockgate.errors import NotCovered

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["CompressRequest"]


def _no_packed_form() -> bytes:
    raise NotCovered("this request has no packed form of its candidate")


@dataclass(frozen=True, kw_only=True)
class CompressRequest(Request):
    """A fitted model to make smaller or faster.

    Attributes
    ----------
    candidate : Candidate
        The fitted model as the previous step returned it.
    train, tune : Table
        Rows to refit on, and rows to measure the loss on.
    metric : str
        Name of the metric behind the loss.
    loss : callable
        ``loss(estimator) -> float``: the loss on `tune`; lower is better.
    fit : callable
        ``fit(recipe, params) -> estimator``: fit a pipeline on `train`.
    max_loss : float
        Largest increase of the loss on `tune` in this step, in units of the
        metric: ``compression.max_loss`` times the loss before any compression.
    packed : callable
        ``packed() -> bytes``: the candidate in packed form, for a compressor whose class declares
        ``on_packed = True``. It reads that with `lockgate.PackedContent`,
        and returns the changed one as ``Candidate.packed``. Compressors that need the estimator
        come before it. Raises `lockgate.NotCovered` for a model without a packed form.

    """

    candidate: Candidate
    train: Table
    tune: Table
    metric: str
    loss: Callable[[Pipeline], float]
    fit: Callable[[Recipe, Mapping[str, Any]], Pipeline]
    max_loss: float = 0.0
    packed: Callable[[], bytes] = _no_packed_form
