"""Converters of trees and of sums of trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.outputs import by_margin, by_score, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.tree_arrays import TreeArrays, add_forest, float32_limits
from lockgate.models.packed.format import linear, numeric, outputs

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

__all__ = ["TREES", "allows_missing", "sklearn_tree"]

LARGEST = float(np.finfo(float).max)


def sklearn_tree(tree: Tree, value: np.ndarray) -> TreeArrays:
    """Return one of scikit-learn's trees, which compare numbers rounded to 32 bits."""
    state = tree.__getstate__()["nodes"]
    names = state.dtype.names or ()
    missing_left = (
        state["missing_go_to_left"].astype(bool)
        if "missing_go_to_left" in names
        else np.zeros(tree.node_count, bool)
    )
    left = tree.children_left.astype(np.int64)
    return TreeArrays(
        np.zeros(1, np.int64),
        left,
        tree.children_right.astype(np.int64),
        tree.feature,
        float32_limits(tree.threshold),
        missing_left & (left >= 0),
        value,
        cover=tree.weighted_n_node_samples.astype(float),
    )


def allows_missing(est: BaseEstimator) -> bool:
    """Return whether scikit-learn allows missing values in this tree or forest."""
    return bool(est.__sklearn_tags__().input_tags.allow_nan)


def _trees_of(
    trace: Trace, est: BaseEstimator, columns: list[Column], trees: list[BaseEstimator]
) -> tuple[int, TreeArrays]:
    if not allows_missing(est):
        trace.require_no_missing(columns)
    parts = [sklearn_tree(tree.tree_, _leaf_values(tree)) for tree in trees]
    op = trace.numbers(columns)
    trace.short.add(op)  # scikit-learn rounds to 32 bits, and rejects what does not fit
    return op, TreeArrays.concatenate(parts)


def _leaf_values(tree: BaseEstimator) -> np.ndarray:
    """Return a tree's shares of classes, or the values of its targets, shape (nodes, outputs)."""
    value: np.ndarray = tree.tree_.value
    return value[:, 0, :] if tree.n_outputs_ == 1 else value[:, :, 0]


def tree_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """One tree's shares of classes."""
    return _voting(trace, est, columns, [est])


def forest_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the trees' shares of classes."""
    return _voting(trace, est, columns, trace.attribute(est, "estimators_"))


def _voting(
    trace: Trace, est: BaseEstimator, columns: list[Column], trees: list[BaseEstimator]
) -> ConvertedModel:
    trace.require(est.n_outputs_ == 1, "classes of several targets; fit one model per target")
    op, tree_arrays = _trees_of(trace, est, columns, trees)
    share = add_forest(trace.builder, op, tree_arrays, len(est.classes_), divide=len(trees))
    return by_score(trace, est.classes_, share)


def tree_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """One tree's value, or values."""
    return _mean(trace, est, columns, [est])


def forest_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the trees' values."""
    return _mean(trace, est, columns, trace.attribute(est, "estimators_"))


def _mean(
    trace: Trace, est: BaseEstimator, columns: list[Column], trees: list[BaseEstimator]
) -> ConvertedModel:
    op, tree_arrays = _trees_of(trace, est, columns, trees)
    outputs = est.n_outputs_
    return value_of(add_forest(trace.builder, op, tree_arrays, outputs, divide=len(trees)))


def gradient_boosting(trace: Trace, est: BaseEstimator, columns: list[Column]) -> tuple[int, int]:
    """Return the operation of scikit-learn's older boosting, and its number of sums."""
    trace.require_no_missing(columns)
    init_estimator = getattr(est, "init_", None)
    simple = isinstance(init_estimator, str) or type(init_estimator).__name__.startswith("Dummy")
    trace.require(simple, "gradient boosting with another model as init; use init=None or 'zero'")
    stages = trace.attribute(est, "estimators_")
    output_count = stages.shape[1]
    zeros = np.zeros((1, est.n_features_in_), dtype=np.float32)
    base = est._raw_predict_init(zeros).reshape(-1)
    parts = [
        sklearn_tree(tree.tree_, est.learning_rate * tree.tree_.value[:, 0, :1])
        for stage in stages
        for tree in stage
    ]
    owners = np.tile(np.arange(output_count), len(stages))
    x = trace.numbers(columns)
    trace.short.add(x)
    op = add_forest(
        trace.builder,
        x,
        TreeArrays.concatenate(parts),
        output_count,
        base=base,
        output=owners,
    )
    return op, output_count


def gradient_boosting_classifier(
    trace: Trace, est: BaseEstimator, columns: list[Column]
) -> ConvertedModel:
    """Sums of trees, then a probability."""
    trace.require(est.loss == "log_loss", f"loss={est.loss!r}; use log_loss")
    op, output_count = gradient_boosting(trace, est, columns)
    return by_margin(trace, est.classes_, op, strict=output_count > 1)


def gradient_boosting_regressor(
    trace: Trace, est: BaseEstimator, columns: list[Column]
) -> ConvertedModel:
    """A sum of trees."""
    return value_of(gradient_boosting(trace, est, columns)[0])


def hist_trees(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    """Return the operation of scikit-learn's boosting on histograms."""
    encoder = getattr(est, "_preprocessor", None)
    if encoder is not None:
        columns = trace.convert(encoder)(trace, encoder, columns)
    stages = trace.attribute(est, "_predictors")
    mapper = trace.attribute(est, "_bin_mapper")
    known_bitsets, bitset_indices = mapper.make_known_categories_bitsets()
    parts = [
        _hist_tree(predictor, known_bitsets, bitset_indices)
        for stage in stages
        for predictor in stage
    ]
    output_count = len(stages[0])
    base = np.asarray(trace.attribute(est, "_baseline_prediction"), dtype=float).reshape(-1)
    owners = np.tile(np.arange(output_count), len(stages))
    return add_forest(
        trace.builder,
        trace.numbers(columns),
        TreeArrays.concatenate(parts),
        output_count,
        base=base,
        output=owners,
    )


def _hist_tree(
    predictor: TreePredictor, known_bitsets: np.ndarray, bitset_indices: np.ndarray
) -> TreeArrays:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    missing_left = nodes["missing_go_to_left"].astype(bool)
    sets = {}
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf).tolist():
        left = _unpack_bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        seen = _unpack_bits(known_bitsets[bitset_indices[nodes["feature_idx"][node]]])
        sets[node] = np.append(left | (~seen & missing_left[node]), missing_left[node])
    return TreeArrays(
        np.zeros(1, np.int64),
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        np.where(leaf, -1, nodes["right"].astype(np.int64)),
        nodes["feature_idx"].astype(np.int64),
        # infinity separates missing values from all numbers, minus infinity itself from others
        np.clip(nodes["num_threshold"].astype(float), -LARGEST, LARGEST),
        missing_left & ~leaf,
        nodes["value"].astype(float)[:, None],
        sets,
        nodes["count"].astype(float),
    )


def _unpack_bits(bitset: np.ndarray) -> np.ndarray:
    """Return bits of 32-bit words, the least significant first."""
    return np.unpackbits(bitset.astype("<u4").view(np.uint8), bitorder="little").astype(bool)


def hist_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Sums of trees, then a probability."""
    return by_margin(trace, est.classes_, hist_trees(trace, est, columns))


def hist_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A sum of trees, through the loss's link."""
    op = hist_trees(trace, est, columns)
    if est.loss in ("poisson", "gamma"):
        op = trace.builder.add(numeric.Apply, op, function="exp")
    return value_of(op)


def ada_boost(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Weighted votes of classifiers, as a share of the weight, then a probability."""
    trace.require_no_missing(columns)  # its trees would allow them, but it checks its rows before
    classes = est.classes_
    weights = est.estimator_weights_[: len(est.estimators_)]
    trace.require(
        getattr(est, "algorithm", "SAMME") != "SAMME.R", "algorithm='SAMME.R'; use 'SAMME'"
    )
    count = len(classes)
    centred_votes = []
    for inner in est.estimators_:
        outcome = trace.convert(inner)(trace, inner, columns)
        votes = trace.builder.add(outputs.Votes, outcome.label, weights=(1.0,), classes=count)
        array = trace.builder.array
        scaled = trace.builder.add(
            numeric.Arith, votes, how="multiply", values=array(np.full(count, count / (count - 1)))
        )
        centred_votes.append(
            trace.builder.add(
                numeric.Arith, scaled, how="subtract", values=array(np.full(count, 1 / (count - 1)))
            )
        )
    total = trace.builder.add(
        outputs.Average, *centred_votes, weights=tuple(float(w) for w in weights), divide=True
    )
    return _ada_outcome(trace, classes, total)


def _ada_outcome(trace: Trace, classes: np.ndarray, total: int) -> ConvertedModel:
    add, array = trace.builder.add, trace.builder.array
    count = len(classes)
    if count == 2:
        margin = add(linear.Linear, total, weights=array([[-1.0, 1.0]]), bias=array([0.0]))
        half = add(numeric.Arith, margin, how="divide", values=array([2.0]))
        both = add(numeric.Concat, add(numeric.Apply, half, function="negate"), half)
        probabilities = add(outputs.Softmax, both)
        score = add(numeric.Select, probabilities, columns=(1,))
        label = add(outputs.Above, margin, limit=0.0, strict=True)
        return ConvertedModel(label, tuple(classes.tolist()), score, margin, probabilities)
    probabilities = add(
        outputs.Softmax,
        add(numeric.Arith, total, how="divide", values=array(np.full(count, count - 1.0))),
    )
    return ConvertedModel(add(outputs.ArgMax, total), tuple(classes.tolist()), probabilities, total)


TREES = {
    "sklearn.AdaBoostClassifier": ada_boost,
    "sklearn.DecisionTreeClassifier": tree_classifier,
    "sklearn.DecisionTreeRegressor": tree_regressor,
    "sklearn.ExtraTreeClassifier": tree_classifier,
    "sklearn.ExtraTreeRegressor": tree_regressor,
    "sklearn.ExtraTreesClassifier": forest_classifier,
    "sklearn.ExtraTreesRegressor": forest_regressor,
    "sklearn.GradientBoostingClassifier": gradient_boosting_classifier,
    "sklearn.GradientBoostingRegressor": gradient_boosting_regressor,
    "sklearn.HistGradientBoostingClassifier": hist_classifier,
    "sklearn.HistGradientBoostingRegressor": hist_regressor,
    "sklearn.RandomForestClassifier": forest_classifier,
    "sklearn.RandomForestRegressor": forest_regressor,
}
"""Converters of models of trees, by library and class."""
