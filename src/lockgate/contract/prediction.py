"""Predictions, predictors, and the files of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """Predictions for n rows.

    Attributes
    ----------
    label : ndarray, shape (n,)
        Predicted class, or predicted value for a regression.
    score : ndarray, shape (n,) or (n, classes), or None
        Probability of the positive class (two classes) or of each class.
    margin : ndarray, shape (n,) or (n, classes), or None
        The value before it becomes a probability, if the model has one.
    missing, unknown : dict of str to int
        Number of missing cells, and of unknown categories, by column, where a packed model
        counted them; columns without any are left out.

    """

    label: np.ndarray
    score: np.ndarray | None = None
    margin: np.ndarray | None = None
    missing: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)


@runtime_checkable
class Predictor(Protocol):
    """A model of any format.

    Attributes
    ----------
    schema : Schema
        Columns that the model takes.

    """

    schema: Schema

    def predict(self, columns: Columns) -> Output:
        """Predict for rows: a DataFrame, or columns of equal length by name."""


@dataclass(frozen=True, kw_only=True)
class OpenRequest(Request):
    """Files of a model, their digests already checked.

    Attributes
    ----------
    directory : pathlib.Path
        Directory of the files.
    files : tuple of str
        Names of the model's files, relative to `directory`.
    schema : Schema
        Columns that the model takes.
    task : {"binary", "multiclass", "regression"}
        Task of the model.
    classes : tuple
        Class labels in the order of the scores; empty for a regression.
    threshold : float or None
        Score from which the positive class is predicted.

    """

    directory: Path
    files: tuple[str, ...]
    schema: Schema
    task: str
    classes: tuple[Any, ...] = ()
    threshold: float | None = None
