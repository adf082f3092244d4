"""From a forest that is ready for NumPy to one that runs in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate_numba import kernels

__all__ = ["compile_forest"]

Run = Callable[[Any], Any]


def compile_forest(compiled_forest: Any) -> Run:
    """Return the function from columns of shape (width, n) to sums of shape (outputs, n)."""
    encode = _build_encoder(compiled_forest)
    sum_leaves = (
        _build_mask_runner(compiled_forest)
        if isinstance(compiled_forest.engine, MaskTables)
        else _build_walk_runner(compiled_forest)
    )
    divide = float(compiled_forest.forest.divide)

    def run(x: Any) -> Any:
        totals = sum_leaves(encode(np.ascontiguousarray(x)))
        return totals / divide if divide != 1 else totals

    return run


def _build_encoder(compiled_forest: Any) -> Run:
    used = compiled_forest.used.astype(np.int64)
    known = compiled_forest.codes[used].astype(np.int64)
    edges = [compiled_forest.edges.get(int(k), np.zeros(0)) for k in used]
    starts = np.cumsum([0, *map(len, edges)])
    flat = np.concatenate([*edges, np.zeros(1)])

    def run(x: Any) -> Any:
        encoded = np.empty((x.shape[1], max(1, len(used))), np.int32)
        kernels.encode(x, used, known, flat, starts, encoded)
        return encoded

    return run


def _read_leaf_values(compiled_forest: Any) -> tuple[Any, Any, Any]:
    """Return leaf values, the output of each tree (-1: all), and where sums start."""
    engine, forest = compiled_forest.engine, compiled_forest.forest
    values = np.stack(engine.values, axis=1)
    owners = np.full(forest.trees, -1, np.int64)
    if forest.output is not None:
        owners = compiled_forest.arrays[forest.output].astype(np.int64)
    return np.ascontiguousarray(values), owners, np.asarray(engine.base)


def _build_mask_runner(compiled_forest: Any) -> Run:
    engine = compiled_forest.engine
    no_masks = np.ones((1, compiled_forest.forest.trees), engine.ones.dtype)  # every tree is a leaf
    tables = np.concatenate(engine.tables) if engine.tables else no_masks
    rows = np.cumsum([0, *map(len, engine.tables)])
    values, owners, base = _read_leaf_values(compiled_forest)

    def run(codes: Any) -> Any:
        totals = np.empty((len(base), len(codes)))
        kernels.sum_masked(
            codes,
            tables,
            rows[:-1],
            np.uint64(engine.multiplier[0]),
            np.uint64(engine.shift[0]),
            engine.bits,
            values,
            owners,
            base,
            totals,
        )
        return totals

    return run


def _build_walk_runner(compiled_forest: Any) -> Run:
    engine = compiled_forest.engine
    values, owners, base = _read_leaf_values(compiled_forest)
    tables = [
        np.zeros(0, np.int64) if t is None else np.asarray(t) for _, t in engine.extra_columns
    ]
    starts = np.cumsum([0, *map(len, tables)])
    flat = np.concatenate([*tables, np.zeros(1, np.int64)])
    source_columns = np.array([column for column, _ in engine.extra_columns], np.int64)
    missing_codes = np.asarray(engine.gap_codes, np.int64)
    depths = np.asarray(engine.depths, np.int64)

    def run(codes: Any) -> Any:
        wide = kernels.widen(codes, source_columns, starts, flat, missing_codes)
        totals = np.empty((len(base), len(codes)))
        kernels.sum_walked(
            wide, engine.packed_nodes, depths, engine.rows, values, owners, base, totals
        )
        return totals

    return run
