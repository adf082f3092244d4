"""The compressor ``prune``: fewer trees in an ensemble."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline


@lockgate.plugin
class Prune:
    """Keep the first trees of an ensemble, as few as the loss budget allows."""

    min_trees: int = lockgate.setting(5, at_least=1, help="smallest number of trees to keep")
    steps: int = lockgate.setting(
        24, at_least=2, at_most=500, help="how many sizes of the ensemble to try"
    )

    @lockgate.hookimpl
    def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
        """Take the smallest number of trees within the loss budget on the tune rows."""
        import numpy as np

        pipeline = request.candidate.estimator
        tree_count = _count_trees(pipeline[-1])
        if tree_count <= self.min_trees:
            raise lockgate.NotApplicable(
                f"the model has {tree_count} trees, no more than min_trees={self.min_trees}"
            )
        limit = request.loss(pipeline) + request.max_loss
        counts = np.unique(np.linspace(self.min_trees, tree_count - 1, self.steps).astype(int))
        for count in request.progress(counts.tolist(), total=len(counts), label="trees"):
            pruned = _keep_trees(pipeline, count)
            if request.loss(pruned) <= limit:
                request.log.info("prune keeps %d of %d trees", count, tree_count)
                return replace(request.candidate, estimator=pruned)
        raise lockgate.NotApplicable(f"fewer than {tree_count} trees exceed the loss budget")


def _count_trees(model: BaseEstimator) -> int:
    """Count the trees of an ensemble; NotApplicable for other models."""
    # scikit-learn keeps the trees of histogram boosting in a private attribute
    trees = getattr(model, "_predictors", None)
    if trees is None and hasattr(model, "n_estimators"):
        trees = getattr(model, "estimators_", None)
    if trees is None:
        raise lockgate.NotApplicable(f"{type(model).__name__} has no trees")
    return len(trees)


def _keep_trees(pipeline: Pipeline, count: int) -> Pipeline:
    """Return a copy of a pipeline with the first `count` trees; other steps are shared."""
    last = copy.copy(pipeline[-1])
    if hasattr(last, "_predictors"):
        last._predictors = last._predictors[:count]
        last.max_iter = count
    else:
        last.estimators_ = last.estimators_[:count]
        last.n_estimators = count
    pruned = copy.copy(pipeline)
    pruned.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], last)]
    return pruned
