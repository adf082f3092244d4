"""Turns a forest compiled for NumPy into one that runs in machine code."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lockgate.contract.conversion import PreparedForest
from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate.models.packed.runtime.tree_walk import TreeWalk
from lockgate_numba import kernels

__all__ = ["compile_forest"]

Run = Callable[[np.ndarray], np.ndarray]


def compile_forest(compiled_forest: PreparedForest) -> Run:
    """Return the function from columns of shape (width, n) to sums of shape (outputs, n)."""
    encode = _build_encoder(compiled_forest)
    engine = compiled_forest.engine
    sum_leaves = (
        _build_mask_runner(compiled_forest, engine)
        if isinstance(engine, MaskTables)
        else _build_walk_runner(compiled_forest, engine)
    )
    divide = float(compiled_forest.forest.divide)

    def run(x: np.ndarray) -> np.ndarray:
        totals = sum_leaves(encode(np.ascontiguousarray(x)))
        return totals / divide if divide != 1 else totals

    return run


def _build_encoder(compiled_forest: PreparedForest) -> Run:
    used = compiled_forest.used.astype(np.int64)
    known = compiled_forest.codes[used].astype(np.int64)
    edges = [compiled_forest.edges.get(int(k), np.zeros(0)) for k in used]
    starts = np.cumsum([0, *map(len, edges)])
    flat = np.concatenate([*edges, np.zeros(1)])

    def run(x: np.ndarray) -> np.ndarray:
        encoded = np.empty((x.shape[1], max(1, len(used))), np.int32)
        kernels.encode(x, used, known, flat, starts, encoded)
        return encoded

    return run


def _read_leaf_values(compiled_forest: PreparedForest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return leaf values, the output of each tree (-1: all), and initial values of sums."""
    engine, forest = compiled_forest.engine, compiled_forest.forest
    values = np.stack(engine.values, axis=1)
    owners = np.full(forest.trees, -1, np.int64)
    if forest.output is not None:
        owners = compiled_forest.arrays[forest.output].astype(np.int64)
    return np.ascontiguousarray(values), owners, np.asarray(engine.base)


def _build_mask_runner(compiled_forest: PreparedForest, engine: MaskTables) -> Run:
    # without tables every tree is a single leaf: one mask with its bit set
    no_masks = np.ones((1, compiled_forest.forest.trees), engine.ones.dtype)
    tables = np.concatenate(engine.tables) if engine.tables else no_masks
    rows = np.cumsum([0, *map(len, engine.tables)])
    values, owners, base = _read_leaf_values(compiled_forest)

    def run(codes: np.ndarray) -> np.ndarray:
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


def _build_walk_runner(compiled_forest: PreparedForest, engine: TreeWalk) -> Run:
    values, owners, base = _read_leaf_values(compiled_forest)
    tables = [
        np.zeros(0, np.int64) if t is None else np.asarray(t) for _, t in engine.extra_columns
    ]
    starts = np.cumsum([0, *map(len, tables)])
    flat = np.concatenate([*tables, np.zeros(1, np.int64)])
    source_columns = np.array([column for column, _ in engine.extra_columns], np.int64)
    missing_codes = np.asarray(engine.missing_codes, np.int64)
    depths = np.asarray(engine.depths, np.int64)

    def run(codes: np.ndarray) -> np.ndarray:
        wide = kernels.widen(codes, source_columns, starts, flat, missing_codes)
        totals = np.empty((len(base), len(codes)))
        kernels.sum_walked(
            wide, engine.packed_nodes, depths, engine.rows, values, owners, base, totals
        )
        return totals

    return run
