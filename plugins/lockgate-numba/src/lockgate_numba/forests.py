"""From a forest that is ready for NumPy to one that runs in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate_numba import kernels

__all__ = ["compiled"]

Run = Callable[[Any], Any]


def compiled(grown: Any) -> Run:
    """Return the function from columns of shape (width, n) to sums of shape (outputs, n)."""
    codes = _codes(grown)
    sums = _masked(grown) if isinstance(grown.engine, MaskTables) else _walked(grown)
    divide = float(grown.forest.divide)

    def run(x: Any) -> Any:
        found = sums(codes(np.ascontiguousarray(x)))
        return found / divide if divide != 1 else found

    return run


def _codes(grown: Any) -> Run:
    used = grown.used.astype(np.int64)
    known = grown.codes[used].astype(np.int64)
    edges = [grown.edges.get(int(k), np.zeros(0)) for k in used]
    starts = np.cumsum([0, *map(len, edges)])
    flat = np.concatenate([*edges, np.zeros(1)])

    def run(x: Any) -> Any:
        found = np.empty((x.shape[1], max(1, len(used))), np.int32)
        kernels.codes(x, used, known, flat, starts, found)
        return found

    return run


def _values(grown: Any) -> tuple[Any, Any, Any]:
    """Return leaf values, the output of each tree (-1: all), and where sums start."""
    engine, forest = grown.engine, grown.forest
    values = np.stack(engine.values, axis=1)
    owners = np.full(forest.trees, -1, np.int64)
    if forest.output is not None:
        owners = grown.a[forest.output].astype(np.int64)
    return np.ascontiguousarray(values), owners, np.asarray(engine.base)


def _masked(grown: Any) -> Run:
    engine = grown.engine
    nothing = np.ones((1, grown.forest.trees), engine.ones.dtype)  # every tree is a leaf
    tables = np.concatenate(engine.tables) if engine.tables else nothing
    rows = np.cumsum([0, *map(len, engine.tables)])
    values, owners, base = _values(grown)

    def run(codes: Any) -> Any:
        found = np.empty((len(base), len(codes)))
        kernels.masked(
            codes,
            tables,
            rows[:-1],
            np.uint64(engine.multiplier[0]),
            np.uint64(engine.shift[0]),
            engine.bits,
            values,
            owners,
            base,
            found,
        )
        return found

    return run


def _walked(grown: Any) -> Run:
    engine = grown.engine
    values, owners, base = _values(grown)
    tables = [np.zeros(0, np.int64) if t is None else np.asarray(t) for _, t in engine.made]
    starts = np.cumsum([0, *map(len, tables)])
    flat = np.concatenate([*tables, np.zeros(1, np.int64)])
    places = np.array([place for place, _ in engine.made], np.int64)
    gaps = np.asarray(engine.gap_codes, np.int64)
    depths = np.asarray(engine.depths, np.int64)

    def run(codes: Any) -> Any:
        wide = kernels.widened(codes, places, starts, flat, gaps)
        found = np.empty((len(base), len(codes)))
        kernels.walked(wide, engine.words, depths, engine.rows, values, owners, base, found)
        return found

    return run
