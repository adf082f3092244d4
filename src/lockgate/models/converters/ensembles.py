"""Converters of ensembles: votes, averages, stacks, bags, and one model per class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.meta_estimators import convert_model
from lockgate.models.converters.outputs import by_score, plain_classes, probabilities, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import numeric, outputs

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["ENSEMBLES"]


def voting_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of probabilities, or the class with most votes."""
    members, weights = _convert_members(trace, est, columns)
    classes = est.classes_
    if est.voting == "soft":
        each = [probabilities(trace, member) for member in members]
        return by_score(trace, classes, trace.builder.add(outputs.Average, *each, weights=weights))
    add = trace.builder.add
    votes = add(
        outputs.Votes, *[member.label for member in members], weights=weights, classes=len(classes)
    )
    return ConvertedModel(add(outputs.ArgMax, votes), plain_classes(classes))


def vote_shares(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The shares of the votes."""
    members, _ = _convert_members(trace, est, columns)
    count = len(est.classes_)
    votes = trace.builder.add(
        outputs.Votes,
        *[member.label for member in members],
        weights=(1.0,) * len(members),
        classes=count,
    )
    return by_score(
        trace, est.classes_, trace.arith(votes, "divide", [float(len(members))] * count)
    )


def voting_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of values."""
    members, weights = _convert_members(trace, est, columns)
    each = [member.label for member in members]
    return value_of(trace.builder.add(outputs.Average, *each, weights=weights))


def _convert_members(
    trace: Trace, est: BaseEstimator, columns: list[Column]
) -> tuple[list[ConvertedModel], tuple[float, ...]]:
    names = [name for name, estimator in est.estimators if not isinstance(estimator, str)]
    members = [
        convert_model(trace, name, estimator, columns)
        for name, estimator in zip(names, trace.attribute(est, "estimators_"), strict=True)
    ]
    weights = getattr(est, "_weights_not_none", None)
    return members, tuple(float(w) for w in weights) if weights is not None else (1.0,) * len(
        members
    )


def stacking(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A model on the predictions of others, and on the columns where `passthrough` is set."""
    final_columns: list[Column] = []
    names = [name for name, estimator in est.estimators if not isinstance(estimator, str)]
    for name, estimator, method in zip(names, est.estimators_, est.stack_method_, strict=True):
        converted = convert_model(trace, name, estimator, columns)
        final_columns += _prediction_columns(trace, converted, method)
    if est.passthrough:
        final_columns += columns
    final = convert_model(trace, "final", est.final_estimator_, final_columns)
    if not final.classes:
        return final
    return ConvertedModel(
        final.label, plain_classes(est.classes_), final.score, final.margin, final.pair
    )


def _prediction_columns(trace: Trace, converted: ConvertedModel, method: str) -> list[Column]:
    if method == "predict_proba":
        return trace.columns_of(
            trace.present(converted.score, "a classifier without probabilities")
        )
    if method == "decision_function":
        return trace.columns_of(trace.present(converted.margin, "a classifier without margins"))
    trace.require(
        not converted.classes, "labels of classifiers as columns; use stack_method='predict_proba'"
    )
    return trace.columns_of(converted.label)


def bagging_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the members' probabilities."""
    members = _convert_bag(trace, est, columns)
    same = all(member.classes == tuple(range(len(est.classes_))) for member in members)
    trace.require(same, "a member of the bag that was fitted on other classes")
    each = [probabilities(trace, member) for member in members]
    op = trace.builder.add(outputs.Average, *each, weights=(1.0,) * len(each))
    return by_score(trace, est.classes_, op)


def bagging_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the members' values."""
    each = [member.label for member in _convert_bag(trace, est, columns)]
    return value_of(trace.builder.add(outputs.Average, *each, weights=(1.0,) * len(each)))


def _convert_bag(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[ConvertedModel]:
    pairs = zip(est.estimators_, est.estimators_features_, strict=True)
    columns = trace.expand(columns)
    return [
        convert_model(trace, f"bag-{k}", estimator, [columns[index] for index in indices])
        for k, (estimator, indices) in enumerate(pairs)
    ]


def value_per_target(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """One model per target."""
    members = [
        convert_model(trace, f"target-{k}", estimator, columns)
        for k, estimator in enumerate(trace.attribute(est, "estimators_"))
    ]
    return value_of(trace.builder.add(numeric.Concat, *[member.label for member in members]))


def chain(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """One model per target, each on the columns and the values of those before it."""
    trace.require_no_missing(columns)  # the chain refuses them, whatever its models do
    columns = list(columns)
    values: list[int] = []
    for k, estimator in enumerate(trace.attribute(est, "estimators_")):
        values.append(convert_model(trace, f"target-{k}", estimator, columns).label)
        columns += trace.columns_of(values[-1])
    in_order = [values[k] for k in np.argsort(est.order_).tolist()]
    return value_of(trace.builder.add(numeric.Concat, *in_order))


def one_against_rest(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """One model per class against all others."""
    trace.require(not est.multilabel_, "several labels per row; fit one model per label")
    add, classes = trace.builder.add, plain_classes(est.classes_)
    members = [
        convert_model(trace, f"class-{k}", estimator, columns)
        for k, estimator in enumerate(est.estimators_)
    ]
    by_margin = all(member.margin is not None for member in members)
    decides = [
        trace.present(member.margin if by_margin else member.score, "members without margins")
        for member in members
    ]
    if len(members) == 1:
        limit = 0.0 if by_margin else 0.5
        label = add(outputs.Above, decides[0], limit=limit, strict=True)
        return ConvertedModel(label, classes, members[0].score, members[0].margin)
    decisions = add(numeric.Concat, *decides)
    scores = [member.score for member in members if member.score is not None]
    share = None
    if len(scores) == len(members):
        share = add(outputs.Share, add(numeric.Concat, *scores), empty="zero")
    label = add(outputs.ArgMax, decisions)
    return ConvertedModel(label, classes, share, decisions if by_margin else None)


ENSEMBLES = {
    "lockgate.VoteShares": vote_shares,
    "sklearn.BaggingClassifier": bagging_classifier,
    "sklearn.BaggingRegressor": bagging_regressor,
    "sklearn.MultiOutputRegressor": value_per_target,
    "sklearn.OneVsRestClassifier": one_against_rest,
    "sklearn.RegressorChain": chain,
    "sklearn.StackingClassifier": stacking,
    "sklearn.StackingRegressor": stacking,
    "sklearn.VotingClassifier": voting_classifier,
    "sklearn.VotingRegressor": voting_regressor,
}
"""Converters of ensembles by library and class."""
