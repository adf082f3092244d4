"""Compares what a plugin's engine, or another array backend, computes with NumPy's results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.conversion import Engine
from lockgate.errors import PluginFailed

if TYPE_CHECKING:
    from lockgate.models.packed.runtime.forest import CompiledForest

__all__ = [
    "COMPARED_ROWS",
    "NumPyDifference",
    "choose_rows",
    "compare_predictions",
    "prepare_forest",
]

COMPARED_ROWS = 1000
"""Rows of a table that NumPy computes, too."""

END_ROWS = 16
"""First and last rows that are always among them: loops over blocks err at their ends."""

EDGE_ROWS = 256
"""Made-up rows at and beside the thresholds of a forest."""

LARGE = 1e300

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class NumPyDifference:
    """How far an implementation is from NumPy.

    Attributes
    ----------
    rows : int
        Rows compared.
    difference : float
        Largest difference, relative where the value is above 1.
    tolerance : float
        Largest difference that is allowed.

    """

    rows: int
    difference: float
    tolerance: float

    def __add__(self, other: NumPyDifference | None) -> NumPyDifference:
        """Return both together."""
        if other is None:
            return self
        rows, difference = self.rows + other.rows, max(self.difference, other.difference)
        return NumPyDifference(rows, difference, self.tolerance)

    def __str__(self) -> str:
        """Return the result as text."""
        return (
            f"{self.rows:,} rows compared with NumPy: labels equal, largest difference "
            f"{self.difference:.2g} (allowed: {self.tolerance:g})"
        )


def choose_rows(rows: int, count: int) -> np.ndarray:
    """Return the rows of a table to compare: its ends, and others at random."""
    if rows <= count:
        return np.arange(rows)
    ends = min(END_ROWS, count // 4)
    between = np.random.default_rng(rows).choice(rows - 2 * ends, count - 2 * ends, replace=False)
    return np.concatenate([np.arange(ends), np.sort(between) + ends, np.arange(rows - ends, rows)])


def compare_predictions(
    name: str,
    expected: Sequence[Any],
    actual: Sequence[Any],
    rows: np.ndarray,
    *,
    exact_labels: bool,
    tolerance: float,
) -> NumPyDifference:
    """Compare predictions with NumPy's.

    Parameters
    ----------
    name : str
        What computed `actual`, e.g. "engine numba".
    expected, actual : (label, score, margin, invalid)
        Arrays of shape (width, n) or None; and for each row whether it has no prediction.
    rows : ndarray of int, shape (n,)
        Number of each row, for the message.
    exact_labels : bool
        Whether all labels must be equal. Otherwise those of a model with scores may differ where
        these are within the tolerance of a tie: sums in another order decide it in another way.
    tolerance : float
        Largest difference of scores, margins, and predicted values.

    Raises
    ------
    PluginFailed
        If they differ; the message shows a row that differs.

    """
    (label, score, margin, invalid), other_invalid = expected, actual[-1]
    _check(name, "check", invalid[None].astype(float), other_invalid[None].astype(float), rows, 0.0)
    predicted = ~invalid
    scored = score is not None or margin is not None
    allowed = [0.0 if exact_labels or scored else tolerance, tolerance, tolerance]
    if not exact_labels and scored:  # another order of sums may decide a tie in another way
        actual = (np.where(_near_tie(score, margin, tolerance), label, actual[0]), *actual[1:])
    largest = 0.0
    for part, ours, theirs, limit in zip(
        ("label", "score", "margin"), (label, score, margin), actual, allowed, strict=False
    ):
        if ours is not None:
            difference = _check(
                name, part, ours[:, predicted], theirs[:, predicted], rows[predicted], limit
            )
            largest = max(largest, difference if limit == tolerance else 0.0)
    return NumPyDifference(len(rows), largest, tolerance)


def _near_tie(score: Any, margin: Any, tolerance: float) -> np.ndarray:
    """Return for each row whether two classes are within the tolerance of each other."""
    numbers = score if score is not None else margin
    if len(numbers) == 1:
        return np.asarray(np.abs(numbers - (0.5 if score is not None else 0.0)) <= tolerance)
    ordered = np.sort(numbers, axis=0)
    return np.asarray(ordered[-1:] - ordered[-2:-1] <= tolerance)


def _check(
    name: str,
    part: str,
    expected: np.ndarray,
    actual: np.ndarray,
    rows: np.ndarray,
    allowed: float,
) -> float:
    """Return the largest difference; raise PluginFailed if it is larger than allowed."""
    difference = _difference(actual, expected).max(axis=0, initial=0.0)
    wrong = difference > allowed
    if wrong.any():
        row = int(np.argmax(difference))
        raise PluginFailed(
            f"{name} differs from the model in {int(wrong.sum()):,} of {len(rows):,} rows "
            f"compared, e.g. row {rows[row]}: {part} {_show(actual[:, row])} instead of "
            f"{_show(expected[:, row])} (allowed difference: {allowed:g}); predict without it, "
            "and report this to its authors"
        )
    return float(difference.max(initial=0.0))


def _difference(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return differences relative to max(1, value); infinite where only one is a number."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(actual - expected) / np.maximum(1.0, np.abs(expected))
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference))


def _show(values: np.ndarray) -> str:
    return ", ".join(repr(value) for value in values[:5].tolist()) + ", ..." * (len(values) > 5)


def prepare_forest(engine: Engine, forest: CompiledForest, tolerance: float) -> Run:
    """Prepare an engine for a forest, and compare it with NumPy at the forest's thresholds.

    Raises
    ------
    PluginFailed
        If it fails, returns arrays of another shape or type, or other sums. What it returns
        later is checked for its shape on every call.

    """
    name = f"engine {engine.name}"
    prepared: Any = _call(name, "prepare", engine.prepare, forest)
    if not callable(prepared):
        raise PluginFailed(f"{name}: prepare returned {type(prepared).__name__}, not a function")
    outputs = len(forest.run(np.zeros((len(forest.codes), 1))))

    def run(x: np.ndarray) -> np.ndarray:
        sums: Any = _call(name, "run", prepared, x)
        shape = (outputs, x.shape[1])
        if not isinstance(sums, np.ndarray) or sums.shape != shape or sums.dtype != np.float64:
            actual = getattr(sums, "shape", type(sums).__name__)
            raise PluginFailed(
                f"{name} returned {actual} of type {getattr(sums, 'dtype', 'unknown')} for "
                f"{x.shape[1]} rows; expected doubles of shape {shape}"
            )
        return sums

    columns = _edge_rows(forest)
    expected = forest.run(columns)
    numbers = np.arange(EDGE_ROWS)
    _check(f"{name}, at thresholds,", "sum", expected, run(columns.copy()), numbers, tolerance)
    return run


def _call(name: str, part: str, function: Callable[[Any], Any], argument: object) -> Any:
    try:
        return function(argument)
    except (Exception, SystemExit) as error:
        raise PluginFailed(f"{name} failed in {part}: {type(error).__name__}: {error}") from error


def _edge_rows(forest: CompiledForest) -> np.ndarray:
    """Make up columns of shape (width, n) at and beside thresholds, and for every code."""
    rng = np.random.default_rng(0)
    columns = np.zeros((len(forest.codes), EDGE_ROWS))
    for column in forest.used.tolist():
        if forest.codes[column]:
            pool = np.arange(-1.0, forest.codes[column] + 2)
        else:
            edges = forest.edges[column]
            beside = [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
            pool = np.concatenate([edges, *beside, [0.0, LARGE, -LARGE]])
        columns[column] = rng.choice(pool, EDGE_ROWS)
        columns[column, rng.random(EDGE_ROWS) < 0.1] = np.nan
    return columns
