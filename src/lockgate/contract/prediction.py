"""Predictions, predictors, and the files of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lockgate.contract.requests import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

    from lockgate.contract.tables import Schema

    Columns = Mapping[str, ArrayLike] | pd.DataFrame

__all__ = ["OpenRequest", "Output", "Predictor"]


@dataclass(frozen=True)
class Output:
    """Answers for n rows.

    Attributes
    ----------
    label : ndarray, shape (n,)
        Predicted class, or predicted value for a regression.
    score : ndarray, shape (n,) or (n, classes), or None
        Probability of the positive class (two classes) or of each class.
    margin : ndarray, shape (n,) or (n, classes), or None
        The value before it becomes a probability, where the model has one.

    """

    label: np.ndarray
    score: np.ndarray | None = None
    margin: np.ndarray | None = None


@runtime_checkable
class Predictor(Protocol):
    """A model that answers, whatever it is made of.

    Attributes
    ----------
    schema : Schema
        The columns it expects.

    """

    schema: Schema

    def predict(self, columns: Columns) -> Output:
        """Answer for rows given as a DataFrame, or as columns of equal length by name."""


@dataclass(frozen=True, kw_only=True)
class OpenRequest(Request):
    """A model on disk, its digests already checked.

    Attributes
    ----------
    directory : pathlib.Path
        Where the files lie.
    files : tuple of str
        Names of the model's files, relative to `directory`.
    schema : Schema
        The columns that the model expects.
    task : {"binary", "multiclass", "regression"}
        What the model predicts.
    classes : tuple
        Class labels in the order of the scores; empty for a regression.
    threshold : float or None
        Score from which the second of two classes is answered.

    """

    directory: Path
    files: tuple[str, ...]
    schema: Schema
    task: str
    classes: tuple[Any, ...] = ()
    threshold: float | None = None
