"""Values of converters and engines: other libraries' models, other ways to run packed ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lockgate.contract.requests import Request

__all__ = ["ConvertRequest", "ConvertedModel", "ForestEngine"]


@dataclass(frozen=True)
class ForestEngine:
    """Another way of walking the trees of packed models.

    Attributes
    ----------
    name : str
        Name of the engine.
    prepare : callable
        ``forest(grown) -> run``: from a `lockgate.models.packed.runtime.forest.Grown`, ready for
        NumPy, to a function from columns of shape (width, n), doubles with NaN for
        gaps, to sums of shape (outputs, n). Labels must be the same, sums within
        1e-12; it is called from several threads.

    """

    name: str
    prepare: Callable[[Any], Callable[[Any], Any]]


@dataclass(frozen=True)
class ConvertedModel:
    """What a classifier or regressor becomes in packed form: places of operations.

    Attributes
    ----------
    label : int
        Operation of width 1: the class's place, or the value.
    classes : tuple
        Labels; empty for a regression.
    score : int or None
        Probabilities, of the second of two classes alone, or of all.
    margin : int or None
        The value before it becomes a probability.
    pair : int or None
        Probabilities of both of two classes, where they were computed apart.

    """

    label: int
    classes: tuple[Any, ...] = ()
    score: int | None = None
    margin: int | None = None
    pair: int | None = None


@dataclass(frozen=True, kw_only=True)
class ConvertRequest(Request):
    """A fitted model of another library, to be written down in packed form.

    Attributes
    ----------
    estimator : object
        The model; never changed.
    trace : lockgate.models.converters.trace.Trace
        Adds operations and arrays, and says what inputs must not hold.
    columns : tuple
        What reaches the model, in order; ``trace.numbers(columns)`` makes an
        operation of them.

    """

    estimator: Any
    trace: Any
    columns: tuple[Any, ...]
