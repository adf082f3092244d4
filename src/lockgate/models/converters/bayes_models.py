"""Converters of classifiers by joint likelihood: naive Bayes, quadratic discriminants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.linear_models import add_weighted_sum
from lockgate.models.converters.outputs import plain_classes
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.transformers import binarize
from lockgate.models.packed.format import linear, numeric, outputs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["BAYES"]


def _by_joint_likelihood(trace: Trace, classes: ArrayLike, joint: int) -> ConvertedModel:
    add, class_labels = trace.builder.add, plain_classes(classes)
    shares = add(outputs.Softmax, joint)
    label = add(outputs.ArgMax, joint)
    if len(class_labels) == 2:
        return ConvertedModel(
            label, class_labels, add(numeric.Select, shares, columns=(1,)), None, shares
        )
    return ConvertedModel(label, class_labels, shares)


def counting_bayes(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Multinomial or complement naive Bayes: weighted sums of logarithms."""
    prior = est.class_log_prior_
    if type(est).__name__ == "ComplementNB" and len(est.classes_) > 1:
        prior = np.zeros(len(est.classes_))
    joint = add_weighted_sum(trace, columns, trace.attribute(est, "feature_log_prob_"), prior)
    return _by_joint_likelihood(trace, est.classes_, joint)


def gaussian_bayes(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Gaussian naive Bayes: weighted squares for each class."""
    trace.require_no_missing(columns)
    add, array = trace.builder.add, trace.builder.array
    x = trace.numbers(columns)
    each = []
    for mean, var, prior in zip(est.theta_, est.var_, est.class_prior_, strict=True):
        centred = add(numeric.Arith, x, how="subtract", values=array(mean))
        squares = add(numeric.Apply, centred, function="square")
        start = np.log(prior) - 0.5 * np.sum(np.log(2.0 * np.pi * var))
        each.append(add(linear.Linear, squares, weights=array([-0.5 / var]), bias=array([start])))
    return _by_joint_likelihood(trace, est.classes_, add(numeric.Concat, *each))


def bernoulli_bayes(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Bernoulli naive Bayes: weighted sums of what is present."""
    present = trace.attribute(est, "feature_log_prob_")
    absent = np.log(1 - np.exp(present))
    if est.binarize is not None:
        columns = binarize(trace, columns, float(est.binarize))
    start = est.class_log_prior_ + absent.sum(axis=1)
    joint = add_weighted_sum(trace, columns, present - absent, start)
    return _by_joint_likelihood(trace, est.classes_, joint)


def quadratic_discriminant(
    trace: Trace, est: BaseEstimator, columns: list[Column]
) -> ConvertedModel:
    """Quadratic discriminant analysis: squares of rotated distances for each class."""
    trace.require_no_missing(columns)
    add, array = trace.builder.add, trace.builder.array
    x = trace.numbers(columns)
    each = []
    for mean, rotation, scaling, prior in zip(
        est.means_, trace.attribute(est, "rotations_"), est.scalings_, est.priors_, strict=True
    ):
        weights = (rotation * scaling**-0.5).T
        centred = trace.arith(x, "subtract", mean)
        rotated = add(
            linear.Linear, centred, weights=array(weights), bias=array(np.zeros(len(weights)))
        )
        squares = add(numeric.Apply, rotated, function="square")
        start = np.log(prior) - 0.5 * np.sum(np.log(scaling))
        halves = array(np.full((1, len(weights)), -0.5))
        each.append(add(linear.Linear, squares, weights=halves, bias=array([start])))
    joint = add(numeric.Concat, *each)
    converted = _by_joint_likelihood(trace, est.classes_, joint)
    if len(converted.classes) != 2:
        return ConvertedModel(converted.label, converted.classes, converted.score, joint)
    margin = add(linear.Linear, joint, weights=array([[-1.0, 1.0]]), bias=array([0.0]))
    label = add(outputs.Above, margin, limit=0.0, strict=True)
    return ConvertedModel(label, converted.classes, converted.score, margin, converted.pair)


BAYES = {
    "sklearn.BernoulliNB": bernoulli_bayes,
    "sklearn.ComplementNB": counting_bayes,
    "sklearn.GaussianNB": gaussian_bayes,
    "sklearn.MultinomialNB": counting_bayes,
    "sklearn.QuadraticDiscriminantAnalysis": quadratic_discriminant,
}
"""Converters of classifiers by joint likelihood, by library and class."""
