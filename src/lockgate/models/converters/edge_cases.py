"""Makes rows at which a packed model may err: at thresholds, with missing and unknown cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.numeric import Arith, Concat, Fill, Numbers, Select
from lockgate.models.packed.runtime.model import PackedModel

__all__ = ["edge_case_rows"]

LARGEST = 1e30
"""Larger numbers do not fit into 32 bits, and scikit-learn's trees reject them."""

UNSEEN = "a category that was not in training"


def edge_case_rows(
    packed: PackedModel, frame: pd.DataFrame, rows: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Make rows at and next to thresholds, with missing values and unknown categories."""
    base = frame.iloc[rng.integers(0, len(frame), rows)].reset_index(drop=True)
    limits = _tree_thresholds(packed)
    columns = dict(base.items())
    for index, column in enumerate(packed.inputs):
        values = base[column.name]
        if column.kind in ("number", "integer") and not column.categories:
            columns[column.name] = _sample_near_limits(values, limits.get(index), column, rng)
        elif column.kind in ("category", "text"):
            columns[column.name] = _mix_in_unknown(values, column, rng)
        elif column.kind == "date" and column.missing == "allow":
            columns[column.name] = values.mask(rng.random(rows) < 0.1)
    return pd.DataFrame(columns)[list(base.columns)]


def _sample_near_limits(
    values: pd.Series[Any], limits: np.ndarray | None, column: ColumnInput, rng: np.random.Generator
) -> Any:
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    known = numbers[np.isfinite(numbers)]
    pool = known if limits is None else np.concatenate([limits, known[:100]])
    pool = pool[np.abs(pool) < LARGEST]
    if not len(pool):
        pool = np.zeros(1)
    chosen = rng.choice(pool, len(numbers))
    with np.errstate(over="ignore"):
        short = chosen.astype(np.float32)
        candidates = np.stack(
            [
                numbers,
                chosen,
                np.nextafter(chosen, np.inf),
                np.nextafter(chosen, -np.inf),
                short.astype(float),
                np.nextafter(short, np.float32(np.inf)).astype(float),
                np.nextafter(short, np.float32(-np.inf)).astype(float),
            ]
        )
    picked = candidates[rng.integers(0, len(candidates), len(numbers)), np.arange(len(numbers))]
    picked = np.where(np.isfinite(picked), picked, numbers)
    if column.missing == "allow":
        picked = np.where(rng.random(len(numbers)) < 0.08, np.nan, picked)
    # the original gets what training had
    if values.dtype == object:
        return picked.astype(object)
    return picked if column.bits == 64 else picked.astype(f"f{column.bits // 8}")


def _mix_in_unknown(values: pd.Series[Any], column: ColumnInput, rng: np.random.Generator) -> Any:
    if column.kind == "text":
        return values
    cells = values.astype(object).to_numpy(copy=True)
    share = rng.random(len(cells))
    kinds = {type(v) for v in cells if isinstance(v, str)}
    if column.unknown == "ignore" and kinds and not hasattr(values, "cat"):
        cells[share < 0.1] = UNSEEN
    if column.missing == "allow":
        missing = values.isna().to_numpy()
        cells[(share >= 0.1) & (share < 0.2)] = (
            values.iloc[missing.argmax()] if missing.any() else np.nan
        )
    if hasattr(values, "cat"):
        categories: Any = values.dtype
        return pd.Categorical(cells, dtype=categories)
    return pd.Series(cells, dtype=object)


def _tree_thresholds(packed: PackedModel) -> dict[int, np.ndarray]:
    """Return the thresholds of trees by input, inverted through the operations between."""
    thresholds: dict[int, list[np.ndarray]] = {}
    ops, arrays = packed.header.ops, packed.arrays
    for op in ops:
        if isinstance(op, Forest):
            counts = arrays[op.counts].astype(int)
            codes = arrays[op.codes] if op.codes else np.zeros(len(counts), int)
            offset = 0
            for column, count in enumerate(counts.tolist()):
                if codes[column] == 0:
                    edges = arrays[op.edges][offset : offset + count]
                    offset += count
                    _trace_back(packed, op.of[0], column, edges, thresholds)
    return {source: np.unique(np.concatenate(parts)) for source, parts in thresholds.items()}


def _trace_back(
    packed: PackedModel,
    op_index: int,
    column: int,
    limits: np.ndarray,
    thresholds: dict[int, list[np.ndarray]],
) -> None:
    op: Any = packed.header.ops[op_index]
    if isinstance(op, Numbers):
        thresholds.setdefault(op.columns[column], []).append(limits)
    elif isinstance(op, Fill):
        _trace_back(packed, op.of[0], column, limits, thresholds)
    elif isinstance(op, Select):
        _trace_back(packed, op.of[0], op.columns[column], limits, thresholds)
    elif isinstance(op, Arith):
        constant = packed.arrays[op.values][column]
        inverses: Mapping[str, Any] = {
            "add": limits - constant,
            "subtract": limits + constant,
            "divide": limits * constant,
            "multiply": limits / constant if constant else limits,
        }
        _trace_back(packed, op.of[0], column, inverses[op.how], thresholds)
    elif isinstance(op, Concat):
        for operand in op.of:
            width = packed.shapes[operand].width
            if column < width:
                _trace_back(packed, operand, column, limits, thresholds)
                return
            column -= width
