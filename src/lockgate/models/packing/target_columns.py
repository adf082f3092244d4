"""Targets from users, of one column or of several, as columns of a table."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.data.columns.sources import column_name
from lockgate.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["add_targets"]

Targets = str | tuple[str, ...]

log = logging.getLogger(__name__)


def add_targets(
    frame: pd.DataFrame, y: ArrayLike, expected: Targets | None
) -> tuple[Targets, pd.DataFrame]:
    """Return the names of the targets, and a copy of the rows with their columns.

    Parameters
    ----------
    frame : DataFrame, shape (n, features)
        The rows.
    y : array-like, shape (n,) or (n, targets)
        The targets; columns of a frame or an Arrow table have names.
    expected : str or tuple of str, optional
        Names that the targets have; several columns of a frame are matched by them.

    Raises
    ------
    DataError
        If `y` is of another shape, or its names are not those that are expected, or features'.

    """
    y = y.to_pandas() if hasattr(y, "to_pandas") else y
    values = np.asarray(y)
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise DataError(
            "y: expected an array, series or frame of shape (n,) or (n, targets), got "
            f"{type(y).__name__} of shape {values.shape}"
        )
    if len(values) != len(frame):
        raise DataError(f"y: expected {len(frame)} values, as X has rows, got {len(values)}")
    columns = frame.copy(deep=False)
    if values.ndim == 1 or values.shape[1] == 1:
        if isinstance(expected, tuple):
            raise DataError(f"y: expected columns {', '.join(expected)}, got one column")
        values = values.reshape(-1)
        name = expected or _name_target(_own_name(y), values, frame)
        columns[name] = values
        return name, columns
    values, names = _match_targets(y, values, expected)
    for number, name in enumerate(names):
        if name in frame:
            raise DataError(f"y has a column {name}, as X has; name it otherwise")
        columns[name] = values[:, number]
    return names, columns


def _match_targets(
    y: ArrayLike, values: np.ndarray, expected: Targets | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the values of several targets in the expected order, and their names."""
    names = _name_targets(y, values.shape[1])
    if len(set(names)) < len(names):
        raise DataError(f"y has several columns of one name: {', '.join(names)}")
    if expected is None:
        return values, names
    targets = (expected,) if isinstance(expected, str) else expected
    if not hasattr(y, "columns") and len(names) == len(targets):
        return values, targets
    if set(names) != set(targets):
        raise DataError(f"y: expected columns {', '.join(targets)}, got {', '.join(names)}")
    return values[:, [names.index(target) for target in targets]], targets


def _own_name(y: ArrayLike) -> object:
    """Return the name of a series, or of the only column of a frame."""
    names = list(getattr(y, "columns", ()))
    return names[0] if names else getattr(y, "name", None)


def _name_targets(y: ArrayLike, count: int) -> tuple[str, ...]:
    """Return the names of the columns of a frame, or numbers for those without."""
    names: list[Any] = list(getattr(y, "columns", [""] * count))
    return tuple(column_name(name) or f"target_{number}" for number, name in enumerate(names))


def _name_target(key: object, values: np.ndarray, frame: pd.DataFrame) -> str:
    """Return a name for the target that no feature has: ``y = X["a"] > 0`` is called a, too."""
    name = "target" if key is None or key == "" else column_name(key)
    if name not in frame:
        return name
    if key is not None and len(values) and (frame[name].to_numpy() == values).all():
        raise DataError(f"y is the column {name} of X; leave it out of X, or name y otherwise")
    names = (f"target{number or ''}" for number in itertools.count())
    free = next(candidate for candidate in names if candidate not in frame)
    log.warning("y is named like the column %s of X; its name in the bundle is %s", name, free)
    return free
