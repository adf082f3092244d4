"""From treelite's trees to operations of a packed model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.outputs import by_score, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.tree_arrays import TreeArrays, add_forest, float32_limits
from lockgate.models.packed.format import numeric, outputs

if TYPE_CHECKING:
    import treelite

__all__ = ["SMALL", "convert_model"]

CATEGORICAL, LESS = 2, 2
"""Treelite's constants for a split by categories, and for the comparison ``<``."""

FLOAT32 = 2

SMALL = float(np.float32(1e-35))
"""Numbers up to that size count as zero in LightGBM."""


def convert_model(
    trace: Trace,
    model: treelite.Model,
    columns: list[Column],
    classes: tuple[str | float, ...],
    *,
    small: float = 0.0,
    alpha: float | None = None,
) -> ConvertedModel:
    """Convert a treelite model.

    Parameters
    ----------
    trace : Trace
        Records the operations.
    model : treelite.Model
        The model to convert.
    columns : list of Column
        Columns that the model takes, in order.
    classes : tuple
        Labels; empty for a regression.
    small : float
        Numbers up to that size are compared as zeros.
    alpha : float, optional
        Factor of the margin within the logistic function; by default treelite's, of 32 bits.

    """
    head = model.get_header_accessor().get_field
    trace.require(
        int(head("num_target")[0]) == 1, "several targets at once; fit one model per target"
    )
    trace.require(
        list(head("leaf_vector_shape")) == [1, 1],
        "leaves of several numbers; use one output per tree",
    )
    output_count = int(head("num_class")[0])
    is_float32 = int(head("threshold_type")[0]) == FLOAT32
    trees = [_Fields(model.get_tree_accessor(k)) for k in range(int(head("num_tree")[0]))]
    codes = _count_categories(trees)
    forest = TreeArrays.concatenate([_read_tree(tree, is_float32, codes, small) for tree in trees])
    divide = len(trees) // output_count if head("average_tree_output")[0] else 1
    margin = add_forest(
        trace.builder,
        _clip_columns(trace, columns, codes),
        forest,
        output_count,
        base=np.asarray(head("base_scores"), dtype=float)[:output_count],
        output=head("class_id") if output_count > 1 else np.zeros(len(trees), int),
        divide=divide,
    )
    if alpha is None:
        alpha = float(head("sigmoid_alpha")[0])
    return _convert_output(trace, str(head("postprocessor")), alpha, margin, classes)


class FieldAccessor(Protocol):
    """Gives the arrays of a treelite model's header, or of one tree, by name."""

    def get_field(self, name: str) -> np.ndarray: ...


class _Fields:
    """The arrays of one tree, by name."""

    def __init__(self, accessor: FieldAccessor) -> None:
        self._field = accessor.get_field

    def __getattr__(self, name: str) -> np.ndarray:
        return np.asarray(self._field(name))

    def categories(self, node: int) -> np.ndarray:
        """Return the categories in a node's list."""
        low, high = self.category_list_begin[node], self.category_list_end[node]
        return self.category_list[int(low) : int(high)]


def _clip_columns(trace: Trace, columns: list[Column], codes: dict[int, int]) -> int:
    """Return the columns, with codes above all splits kept distinct from missing values."""
    operation = int(trace.numbers(columns))
    if not codes:
        return operation
    largest = np.finfo(float).max
    low, high = np.full(len(columns), -largest), np.full(len(columns), largest)
    for column, count in codes.items():
        high[column] = count - 1
    array = trace.builder.array
    return int(trace.builder.add(numeric.Clip, operation, low=array(low), high=array(high)))


def _count_categories(trees: list[_Fields]) -> dict[int, int]:
    """Return for each column of categories one more code than its splits list."""
    cardinality: dict[int, int] = {}
    for tree in trees:
        for node in np.flatnonzero(tree.node_type == CATEGORICAL).tolist():
            column = int(tree.split_index[node])
            largest = int(tree.categories(node).max(initial=0))
            cardinality[column] = max(cardinality.get(column, 0), largest + 2)
    return cardinality


def _read_tree(tree: _Fields, is_float32: bool, codes: dict[int, int], small: float) -> TreeArrays:
    left = tree.cleft.astype(np.int64)
    inner = left >= 0
    missing_left = tree.default_left.astype(bool) & inner
    feature = np.where(inner, tree.split_index, 0).astype(np.int64)
    sets = {}
    for node in np.flatnonzero(tree.node_type == CATEGORICAL).tolist():
        members = np.zeros(codes[int(feature[node])] + 1, bool)
        members[tree.categories(node)] = True
        if tree.category_list_right_child[node]:
            members = ~members
        members[-1] = missing_left[node]
        sets[node] = members
    value = np.where(inner, 0.0, tree.leaf_value.astype(float))[:, None]
    limit = np.where(inner, _find_limits(tree, is_float32), 0.0)
    within = (np.abs(limit) <= small) & inner
    zeroed = np.where(limit < 0, np.nextafter(-small, -np.inf), small)
    limit = np.where(within & (small > 0), zeroed, limit)
    right = tree.cright.astype(np.int64)
    return TreeArrays(
        np.zeros(1, np.int64),
        left,
        right,
        feature,
        limit,
        missing_left,
        value,
        sets,
        _find_covers(tree),
    )


def _find_covers(tree: _Fields) -> np.ndarray | None:
    """Return the training rows of each node, or XGBoost's sums of hessians, if the tree has any."""
    for name in ("data_count", "sum_hess"):
        present: np.ndarray = getattr(tree, f"{name}_present")
        if len(present) and present.astype(bool).all():
            return np.asarray(getattr(tree, name), dtype=float)
    return None


def _find_limits(tree: _Fields, is_float32: bool) -> np.ndarray:
    """Return the largest numbers that go left, as doubles."""
    limit = tree.threshold
    below = np.where(tree.cmp == LESS, np.nextafter(limit, limit.dtype.type(-np.inf)), limit)
    below = below.astype(float)
    largest = np.finfo(float).max
    return float32_limits(below) if is_float32 else np.clip(below, -largest, largest)


def _convert_output(
    trace: Trace, postprocessor: str, alpha: float, margin: int, classes: tuple[str | float, ...]
) -> ConvertedModel:
    add = trace.builder.add
    if not classes:
        if postprocessor == "exponential":
            return value_of(add(numeric.Apply, margin, function="exp"))
        known = postprocessor in ("identity", "sigmoid")
        trace.require(known, f"the output function {postprocessor}; use a built-in objective")
        return value_of(
            margin
            if postprocessor == "identity"
            else add(numeric.Apply, margin, function="sigmoid")
        )
    known = postprocessor in ("sigmoid", "softmax", "multiclass_ova")
    trace.require(known, f"the output function {postprocessor}; use a built-in objective")
    if postprocessor == "softmax":
        converted = by_score(trace, classes, add(outputs.Softmax, margin))
        return dataclasses.replace(converted, margin=margin)
    scaled = margin
    if alpha != 1.0:
        values = trace.builder.array(np.full(trace.builder.width(margin), alpha))
        scaled = add(numeric.Arith, margin, how="multiply", values=values)
    probabilities = add(numeric.Apply, scaled, function="sigmoid")
    if len(classes) > 2:
        return ConvertedModel(add(outputs.ArgMax, probabilities), classes, probabilities, margin)
    converted = by_score(trace, classes, add(outputs.Pair, probabilities))
    return ConvertedModel(converted.label, classes, probabilities, margin, converted.pair)
