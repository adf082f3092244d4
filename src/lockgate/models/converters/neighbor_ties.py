"""Rows for which several training rows contend for the last place among the neighbors."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import NotCovered
from lockgate.models.packed.format.neighbors import (
    NearestRows,
    NeighborCells,
    common_distances,
    nearest_distances,
    weigh,
)
from lockgate.models.packed.runtime.model import PackedModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TiedRows", "have_no_neighbors", "leave_out_ties", "tied_neighbors"]

Step: TypeAlias = NearestRows | NeighborCells

CLOSE = 1e-12
"""Relative difference up to which squared distances are equal but for rounding."""

ROUNDING = 1e-15
"""Rounding of squared distances that are taken from norms, relative to these."""

CHANGED = 1e-6
"""Change of a neighbor's share of the weights by that rounding, from which it decides."""

TREE_COLUMNS = 15
"""Columns up to which scikit-learn searches trees, with the differences themselves."""

LARGEST = 1e150
"""Numbers whose squares have no double from here on."""

BLOCK = 256

MAX_ROUNDED = 0.05
"""Share of the rows for which rounding may decide who the nearest neighbors are."""

FEWEST_COMPARED = 0.05
"""Share of the rows, with those beside tied ones, of which the neighbors must not be tied."""

log = logging.getLogger(__name__)


class TiedRows(NamedTuple):
    """Rows whose neighbors are not determined by their distances, each of shape (n,).

    Attributes
    ----------
    equal : ndarray of bool
        Points at equal distances contend: scikit-learn takes whichever its search meets first.
    rounded : ndarray of bool
        The rounding of distances that scikit-learn takes from norms decides, and these are not
        equal.

    """

    equal: np.ndarray
    rounded: np.ndarray


def tied_neighbors(model: object, frame: pd.DataFrame) -> TiedRows:
    """Return the rows for which training rows contend for the last place among the neighbors."""
    equal = _find_rows(model, frame, functools.partial(_tied, from_norms=False))
    return TiedRows(equal, _find_rows(model, frame, _tied) & ~equal)


def leave_out_ties(
    packed: PackedModel, parts: list[pd.DataFrame], rng: np.random.Generator
) -> tuple[list[pd.DataFrame], int]:
    """Return the rows with neighbors that distances determine, and how many of `parts[0]` are not.

    In place of the others come rows beside them, which are not tied, so that something is compared.
    """
    sample = parts[0]
    equal, rounded = tied_neighbors(packed, sample)
    if rounded.mean() > MAX_ROUNDED:
        raise NotCovered(
            f"for {rounded.mean():.0%} of the rows the rounding of distances decides who the "
            "nearest neighbors are, in scikit-learn as well: scale the columns before it, e.g. "
            "with StandardScaler"
        )
    if equal.any():
        log.warning(
            "for %.1f%% of the rows training rows at equal distances contend for the last of the "
            "nearest neighbors: scikit-learn takes any of them, the packed model the first, so "
            "predictions may differ there; round or bin columns less, or drop duplicates, if they "
            "must not",
            100 * equal.mean(),
        )
    masks = [equal | rounded, *(_are_tied(packed, part) for part in parts[1:])]
    compared = [part[~mask] for part, mask in zip(parts, masks, strict=True)]
    if masks[0].any():
        beside = _rows_beside(packed, sample[masks[0]], rng)
        compared.append(beside[~_are_tied(packed, beside)])
    count = sum(len(part) for part in compared)
    if count < FEWEST_COMPARED * sum(len(part) for part in parts):
        raise NotCovered(
            f"of all but {count} rows training rows at equal distances contend for the last of "
            "the nearest neighbors, so that hardly a prediction can be compared: drop duplicates, "
            "use more columns, or a number of neighbors at which fewer contend"
        )
    return compared, int(masks[0].sum())


def _rows_beside(
    packed: PackedModel, frame: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Return rows whose numbers are a thousandth of their spread beside those of the given rows."""
    import pandas as pd

    moved = frame.copy()
    for column in packed.inputs:
        if column.kind in ("number", "integer") and column.name in moved:
            cells = pd.to_numeric(moved[column.name], errors="coerce").astype(float)
            spread = float(cells.std()) or float(cells.abs().max())
            step = 1e-3 * (spread if np.isfinite(spread) and spread else 1.0)
            moved[column.name] = cells + step * rng.uniform(-1, 1, len(moved))
    return moved


def _are_tied(packed: PackedModel, frame: pd.DataFrame) -> np.ndarray:
    equal, rounded = tied_neighbors(packed, frame)
    return np.asarray(equal | rounded)


def have_no_neighbors(model: object, frame: pd.DataFrame) -> np.ndarray:
    """Return the rows whose numbers are so large that they have no distances, shape (n,)."""
    return _find_rows(model, frame, _overflows)


def _find_rows(
    model: object,
    frame: pd.DataFrame,
    condition: Callable[..., np.ndarray],
) -> np.ndarray:
    """Return the rows for which a condition holds at one of the steps that look up neighbors."""
    result = np.zeros(len(frame), bool)
    if not isinstance(model, PackedModel):
        return result
    steps = [op for op in model.header.ops if isinstance(op, (NearestRows, NeighborCells))]
    if not steps:
        return result
    cells, rows = read_columns(model.inputs, frame, RejectedRows())
    for op in steps:
        for start in range(0, rows, BLOCK):
            part = slice(start, start + BLOCK)
            block = [column[part] for column in cells]
            numbers = model.compute_operation(op.of[0], block, len(range(rows)[part]))
            result[part] |= condition(op, numbers, model.arrays[op.points])
    return result


def _overflows(op: Step, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    del op, points
    return np.asarray(np.nan_to_num(np.abs(rows)).max(axis=0) > LARGEST)


def _tied(
    op: Step, rows: np.ndarray, points: np.ndarray, *, from_norms: bool | None = None
) -> np.ndarray:
    if from_norms is None:  # by default scikit-learn takes them from norms of many columns
        from_norms = isinstance(op, NeighborCells) or rows.shape[0] > TREE_COLUMNS
    with np.errstate(all="ignore"):
        norms = np.nan_to_num(points**2).sum(axis=1).max() + np.nan_to_num(rows**2).sum(axis=0)
        if isinstance(op, NearestRows):
            distances = nearest_distances(rows, points, op.metric, np)
            return _contended(distances, op, norms, from_norms)
        distances = common_distances(rows, points, np)
        tied = np.zeros(rows.shape[1], bool)
        for k in range(rows.shape[0]):
            missing = np.isnan(rows[k])
            donors = ~np.isnan(points[:, k])
            if missing.any() and donors.any():
                usable = distances[donors][:, missing]
                tied[missing] |= _contended(usable, op, norms[missing], from_norms)
        return tied


def _contended(distances: np.ndarray, op: Step, norms: np.ndarray, from_norms: bool) -> np.ndarray:
    """Return whether rounding decides who the neighbors are, or their weights by distance."""
    contended = np.zeros(distances.shape[1], bool)
    if op.weights == "distance" and from_norms:
        kept = np.sort(distances, axis=0)[: op.count]
        shares = _shares(kept, op.weights)
        # of points at equal small distances, rounding may leave any at a distance of zero
        every_second = (np.arange(len(kept)) % 2)[:, None]
        for rounded in (1.0, every_second, 1 - every_second):
            moved = _shares(np.sqrt(kept**2 + ROUNDING * norms * rounded), op.weights)
            contended |= ~(np.abs(shares - moved).max(axis=0) <= CHANGED)
    if op.count < len(distances):
        last = np.partition(distances, (op.count - 1, op.count), axis=0)[op.count - 1 :][:2] ** 2
        scale = last[1] + norms if from_norms else last[1]
        contended |= ~(last[1] - last[0] > CLOSE * scale)
    return contended


def _shares(distances: np.ndarray, weights: Literal["uniform", "distance"]) -> np.ndarray:
    """Return each neighbor's share of the weights, shape (neighbors, n)."""
    sizes = np.asarray(weigh(distances, weights, np))
    return np.asarray(sizes / sizes.sum(axis=0))
