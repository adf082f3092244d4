"""Matches the columns of a frame with those that an estimator was fitted on, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from lockgate.errors import UsageError
from lockgate.models.converters.libraries import library_of
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["arrange_columns", "as_fitted", "columns_by_fitted_name", "fitted_names"]

INNER = ("best_estimator_", "estimator_", "regressor_", "estimators_", "calibrated_classifiers_")
"""Attributes with a fitted estimator, or with several on the same columns."""


def fitted_names(estimator: BaseEstimator) -> tuple[str, ...]:
    """Return the names of the columns that an estimator was fitted on; none for an array.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> frame = pd.DataFrame({"b": [0, 1], "a": [1, 0]})
    >>> fitted_names(LinearRegression().fit(frame, [0, 1]))
    ('b', 'a')
    >>> fitted_names(LinearRegression().fit(frame.to_numpy(), [0, 1]))
    ()

    """
    names = tuple(map(str, getattr(estimator, "feature_names_in_", ())))
    if library_of(estimator) == "lightgbm" and names == _lightgbm_names(len(names)):
        return ()
    if names:
        return names
    for attribute in INNER:
        inner: Any = getattr(estimator, attribute, None)
        if isinstance(inner, (list, tuple)) and inner:
            inner = inner[0]
        if hasattr(inner, "get_params") and (names := fitted_names(inner)):
            return names
    return ()


def _lightgbm_names(count: int) -> tuple[str, ...]:
    """Return the names that LightGBM gives to the columns of an array."""
    return tuple(f"Column_{k}" for k in range(count))


def columns_by_fitted_name(
    estimator: BaseEstimator, columns: Sequence[str], subject: str = "X"
) -> dict[str, str]:
    """Return the column for each name that the estimator was fitted on, in its order.

    Parameters
    ----------
    estimator : fitted estimator
        The model; it must have been fitted on named columns.
    columns : sequence of str
        Names of the columns at hand; others than the model's are left out.
    subject : str
        What has these columns, for messages.

    Raises
    ------
    UsageError
        If columns are missing.

    """
    at_hand = {name: name for name in columns}
    if library_of(estimator) == "lightgbm":  # it writes blanks in names as underscores
        at_hand = {name.replace(" ", "_"): name for name in columns} | at_hand
    names = fitted_names(estimator)
    missing = [name for name in names if name not in at_hand]
    if missing:
        unused = sorted(set(columns).difference(names))
        hints = [f"{name!r}{nearest(name, unused)}" for name in missing[:10]]
        others = f"; it has {', '.join(map(repr, unused[:10]))} instead" if unused else ""
        raise UsageError(
            f"{subject} lacks columns that the model was fitted on: {', '.join(hints)}{others}; "
            "name them as in fit"
        )
    return {name: at_hand[name] for name in names}


def arrange_columns(estimator: BaseEstimator, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a frame in the order in which the estimator was fitted on them.

    Raises
    ------
    UsageError
        If columns are missing, or the model was not fitted on some.

    """
    names = fitted_names(estimator)
    if not names:
        count = getattr(estimator, "n_features_in_", frame.shape[1])
        if count != frame.shape[1]:
            raise UsageError(f"X: expected {count} columns, as in fit, got {frame.shape[1]}")
        return frame
    columns = list(columns_by_fitted_name(estimator, [*map(str, frame)]).values())
    extra = [name for name in frame if name not in columns]
    if extra:
        raise UsageError(
            f"X has columns that the model was not fitted on: {', '.join(map(repr, extra[:10]))}; "
            "leave them out"
        )
    return frame[columns]


def as_fitted(estimator: BaseEstimator, frame: pd.DataFrame) -> Any:
    """Return rows in the form that the estimator was fitted on.

    Raises
    ------
    UsageError
        If columns are missing.

    """
    if fitted_names(estimator):
        names = columns_by_fitted_name(estimator, [*map(str, frame)])
        return frame[list(names.values())].set_axis(list(names), axis=1)
    if frame.shape[1] == 1 and not pd.api.types.is_numeric_dtype(frame.iloc[:, 0]):
        return frame.iloc[:, 0]
    return frame.to_numpy()
