"""Predictions, predictors, and the files of a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from lockgate.contract.requests import Request

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

    from lockgate.contract.tables import Schema

    Columns = Mapping[str, ArrayLike] | pd.DataFrame

__all__ = [
    "FunctionPredictor",
    "ModelFiles",
    "OpenRequest",
    "Output",
    "Predictor",
    "WriteRequest",
    "members_of",
    "value_columns",
    "values_by_name",
]


T = TypeVar("T")


@dataclass(frozen=True)
class Output:
    """Predictions for n rows.

    Attributes
    ----------
    label : ndarray, shape (n,) or (n, targets)
        Predicted class, or predicted value for a regression; of several targets their values.
    score : ndarray, shape (n,) or (n, classes), or None
        Probability of the positive class (two classes) or of each class.
    margin : ndarray, shape (n,) or (n, classes), or None
        The value before it becomes a probability, if the model has one.
    missing, unknown : dict of str to int
        Number of missing cells, and of unknown categories, by column, where a packed model
        counted them; columns without any are left out.
    low, high : ndarray, shape (n,), or None
        Bounds of a regression's prediction interval, where the model has some.
    sets : ndarray of bool, shape (n, classes), or None
        Which classes are in a classifier's prediction set, where the model has some.
    quantile : float or None
        Share of rows whose true value is expected at or below the predicted, in (0, 1); None for
        a regression of means.

    """

    label: np.ndarray
    score: np.ndarray | None = None
    margin: np.ndarray | None = None
    missing: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    sets: np.ndarray | None = None
    quantile: float | None = None

    def class_scores(self) -> np.ndarray:
        """Return the probability of each class, shape (n, classes), also of two.

        Raises
        ------
        ValueError
            If the model has none.

        """
        import numpy as np

        if self.score is None:
            raise ValueError("these predictions have no scores")
        score = np.asarray(self.score)
        return np.stack([1 - score, score], axis=1) if score.ndim == 1 else score

    def columns(self, classes: Sequence[Any], targets: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Return the predictions as columns, by the names that every table of them has.

        A regression (no classes) has ``value``, or ``value_TARGET`` for each of several `targets`.
        A classifier has ``label`` and, where it has probabilities, ``score`` (two classes: of the
        second) or ``score_CLASS`` for each; a model without probabilities has ``margin``, or
        ``margin_0`` and so on: of several classes they are numbered in the model's order, as they
        may be of pairs of classes. Intervals are ``low`` and ``high``, and ``set`` has the classes
        of a set as a JSON array.
        """
        if self.label.ndim == 2:
            return values_by_name(value_columns(targets), self.label.T)
        if not classes:
            bounds = {"low": self.low, "high": self.high}
            return {"value": self.label} | {k: v for k, v in bounds.items() if v is not None}
        columns = {"label": self.label}
        for name in ("score", "margin"):
            if (numbers := getattr(self, name)) is not None:
                if numbers.ndim == 1:
                    columns[name] = numbers
                else:
                    # margins may be of pairs of classes, so that only scores are named by classes
                    names = classes if name == "score" else range(numbers.shape[1])
                    columns |= {f"{name}_{c}": numbers[:, k] for k, c in enumerate(names)}
                break
        if self.sets is not None:
            import numpy as np

            texts = [
                json.dumps(members, ensure_ascii=False)
                for members in members_of(self.sets, classes)
            ]
            columns["set"] = np.array(texts, dtype=object)
        return columns


def value_columns(targets: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns with predicted numbers: ``value``, or one for each target.

    Examples
    --------
    >>> value_columns(["price"]), value_columns(["heating", "cooling"])
    (('value',), ('value_heating', 'value_cooling'))

    """
    return tuple(f"value_{name}" for name in targets) if len(targets) > 1 else ("value",)


def values_by_name(names: Sequence[str], values: Iterable[T]) -> dict[str, T]:
    """Return the values of several targets by their names.

    Raises
    ------
    ValueError
        If there are more or fewer: a value without a name must not get lost.

    """
    return dict(zip(names, values, strict=True))


def members_of(sets: np.ndarray, classes: Sequence[Any]) -> list[list[Any]]:
    """Return the classes of each set, given as one row of truth values for each."""
    return [
        [label for label, member in zip(classes, row, strict=True) if member]
        for row in sets.tolist()
    ]


@runtime_checkable
class Predictor(Protocol):
    """A model of any format.

    The host reads the cells of every row before a predictor gets them, so that they mean the same
    wherever they come from. `predict` takes columns by name, in the order of the schema: numbers,
    integers and booleans as doubles with NaN for missing values; categories as objects, each a
    `str`, or None for a missing value; texts as objects, empty for a missing value; dates as
    ``datetime64[us]`` with NaT. A category that training did not have arrives as ``"(unknown)"``.

    A predictor with an attribute ``servable = True`` may be called from several threads, and
    predicts each row by that row alone: a server and `lockgate predict` accept it.

    Attributes
    ----------
    schema : Schema
        Columns that the model takes.

    """

    schema: Schema

    def predict(self, columns: Columns) -> Output:
        """Predict for rows, given as columns of equal length by name."""


@dataclass(frozen=True)
class FunctionPredictor:
    """A `Predictor` made of a function.

    Attributes
    ----------
    schema : Schema
        Columns that the model takes.
    predict : callable
        ``predict(columns) -> Output``, as that of a `Predictor`.
    servable : bool
        Whether it may be called from several threads, and predicts each row by that row alone.

    """

    schema: Schema
    predict: Callable[[Columns], Output]
    servable: bool = False


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
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        Task of the model.
    classes : tuple
        Class labels in the order of the scores; empty where numbers are predicted.
    threshold : float or None
        Score from which the positive class is predicted.

    """

    directory: Path
    files: tuple[str, ...]
    schema: Schema
    task: str
    classes: tuple[Any, ...] = ()
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True)
class WriteRequest(Request):
    """A fitted model, to be written to files that cannot run code.

    Attributes
    ----------
    estimator : object
        Fitted; it has scikit-learn's interface, and is never changed.
    schema : Schema
        Columns that it was fitted on.
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        Task of the model.
    classes : tuple
        Class labels in the order of the scores; empty where numbers are predicted.
    features : pandas.DataFrame
        Some rows as the estimator takes them, e.g. to find the types of its inputs.

    """

    estimator: Any
    schema: Schema
    task: str
    classes: tuple[Any, ...] = ()
    features: pd.DataFrame


@dataclass(frozen=True)
class ModelFiles:
    """A written model.

    The host opens the files with the same plugin, and compares predictions with the
    estimator's; where they differ, nothing is kept.

    Attributes
    ----------
    files : mapping of str to bytes
        Content by file name, e.g. ``{"model.onnx": raw}``; names without folders.
    schema : Schema or None
        Columns that the files need, where these are fewer than the estimator was fitted on.
    tolerance : float
        Largest difference of scores and values from the estimator's, relative to
        max(1, value), that the format causes, e.g. 1e-5 for floats of 32 bits. Labels must be
        equal, but where the scores are that close to a tie.

    """

    files: Mapping[str, bytes]
    schema: Schema | None = None
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        """Reject what no bundle can hold, and a tolerance that would hide errors."""
        if not isinstance(self.files, Mapping):
            raise TypeError(f"files is {type(self.files).__name__}, expected a mapping to bytes")
        if self.schema is not None and not hasattr(self.schema, "features"):
            raise TypeError(f"schema is {type(self.schema).__name__}, expected lockgate.Schema")
        check_tolerance(self.tolerance)


MAX_TOLERANCE = 1e-3
"""Largest difference from the model that a format or an engine may declare."""


def check_tolerance(tolerance: object) -> None:
    """Raise a ValueError unless it is a number from 0 to `MAX_TOLERANCE`."""
    is_bool = isinstance(tolerance, bool)
    if isinstance(tolerance, (int, float)) and not is_bool and 0 <= tolerance <= MAX_TOLERANCE:
        return
    expected = f"a number from 0 to {MAX_TOLERANCE:g}"
    raise ValueError(f"tolerance is {tolerance!r}, expected {expected}")
