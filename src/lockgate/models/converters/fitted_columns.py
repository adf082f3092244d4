"""Matches the columns of a frame with those that an estimator was fitted on, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from lockgate.errors import UsageError
from lockgate.models.converters.libraries import library_of
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = [
    "arrange_columns",
    "as_fitted",
    "check_count",
    "columns_by_fitted_name",
    "fitted_columns",
    "names_for",
]

CALIBRATED = "calibrated_classifiers_"
INNER = ("best_estimator_", "estimator_", "regressor_", "estimators_", CALIBRATED)
"""Attributes with a fitted estimator, or with several on the same columns."""


class FittedColumns(NamedTuple):
    """The columns that an estimator was fitted on.

    Attributes
    ----------
    names : tuple of str
        Their names; none for an array.
    by_lightgbm : bool
        Whether LightGBM gave them: it writes blanks as underscores, and names the columns
        of an array ``Column_0`` and so on.

    """

    names: tuple[str, ...]
    by_lightgbm: bool


def fitted_columns(estimator: BaseEstimator) -> FittedColumns:
    """Return the columns that an estimator was fitted on.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> frame = pd.DataFrame({"b": [0, 1], "a": [1, 0]})
    >>> fitted_columns(LinearRegression().fit(frame, [0, 1])).names
    ('b', 'a')
    >>> fitted_columns(LinearRegression().fit(frame.to_numpy(), [0, 1])).names
    ()

    """
    names = tuple(map(str, getattr(estimator, "feature_names_in_", ())))
    if library_of(estimator) == "lightgbm":
        return FittedColumns(names, by_lightgbm=True)
    inner = FittedColumns(names, by_lightgbm=False)
    for part in _inner_estimators(estimator):
        inner = fitted_columns(part)
        if inner.names and inner.names == (names or inner.names):
            return inner
    return FittedColumns(names or inner.names, by_lightgbm=False)


def _inner_estimators(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield fitted estimators that take the same columns: the first step, or members."""
    steps = getattr(estimator, "steps", None)
    if steps:
        yield steps[0][1]
    for attribute in INNER:
        inner: Any = getattr(estimator, attribute, None)
        if isinstance(inner, (list, tuple)) and inner:
            inner = inner[0]
        inner = getattr(inner, "estimator", inner) if attribute == CALIBRATED else inner
        if hasattr(inner, "get_params"):
            yield inner


def names_for(estimator: BaseEstimator, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names that columns must have; none where the estimator takes them in order.

    LightGBM names the columns of an array: such names count only for a frame that has them.
    """
    fitted = fitted_columns(estimator)
    of_array = tuple(f"Column_{k}" for k in range(len(fitted.names)))
    if fitted.by_lightgbm and fitted.names == of_array and set(columns) != set(of_array):
        return ()
    return fitted.names


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
    if fitted_columns(estimator).by_lightgbm:
        at_hand = {name.replace(" ", "_"): name for name in columns} | at_hand
    names = names_for(estimator, columns)
    # XGBoost joins the levels of a name by a blank, a bundle by an underscore
    joined = {name: at_hand.get(name.replace(" ", "_")) for name in names if name not in at_hand}
    at_hand |= {name: column for name, column in joined.items() if column is not None}
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


def check_count(estimator: BaseEstimator, count: int, subject: str = "X") -> None:
    """Raise a `UsageError` for another number of columns than in fit."""
    expected = getattr(estimator, "n_features_in_", count)
    if expected != count:
        raise UsageError(f"{subject}: expected {expected} columns, as in fit, got {count}")


def arrange_columns(estimator: BaseEstimator, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a frame in the order in which the estimator was fitted on them.

    Raises
    ------
    UsageError
        If columns are missing, or the model was not fitted on some.

    """
    if not names_for(estimator, [*map(str, frame)]):
        check_count(estimator, frame.shape[1])
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
    if names_for(estimator, [*map(str, frame)]):
        names = columns_by_fitted_name(estimator, [*map(str, frame)])
        return frame[list(names.values())].set_axis(list(names), axis=1)
    if frame.shape[1] == 1 and not pd.api.types.is_numeric_dtype(frame.iloc[:, 0]):
        return frame.iloc[:, 0]
    return frame.to_numpy()
