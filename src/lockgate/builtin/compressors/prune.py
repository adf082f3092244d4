"""The compressor ``prune``: fewer trees."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import lockgate


@lockgate.plugin
class Prune:
    """Keep the first trees of an ensemble, as few as the loss budget allows."""

    min_trees: int = lockgate.setting(5, at_least=1, help="trees to keep in any case")
    steps: int = lockgate.setting(24, at_least=2, at_most=500, help="numbers of trees to try")

    @lockgate.hookimpl
    def compress(self, request: lockgate.CompressRequest) -> lockgate.Candidate:
        """Try growing numbers of trees on the tune rows and take the first that will do."""
        import numpy as np

        pipeline = request.candidate.estimator
        tree_count = _count_trees(pipeline[-1])
        if tree_count <= self.min_trees:
            raise lockgate.NotApplicable(f"the model has only {tree_count} trees")
        limit = request.loss(pipeline) + request.max_loss
        counts = np.unique(np.linspace(self.min_trees, tree_count - 1, self.steps).astype(int))
        for count in request.progress(counts.tolist(), total=len(counts), label="trees"):
            pruned = _keep_trees(pipeline, count)
            if request.loss(pruned) <= limit:
                request.log.info("prune keeps %d of %d trees", count, tree_count)
                return replace(request.candidate, estimator=pruned)
        raise lockgate.NotApplicable(f"all {tree_count} trees are needed")


def _count_trees(model: Any) -> int:
    """Count the trees; scikit-learn's private ``_predictors`` holds those of boosting."""
    trees = getattr(model, "_predictors", None)
    if trees is None and hasattr(model, "n_estimators"):
        trees = getattr(model, "estimators_", None)
    if trees is None:
        raise lockgate.NotApplicable(f"{type(model).__name__} has no trees")
    return len(trees)


def _keep_trees(pipeline: Any, count: int) -> Any:
    """Copy a pipeline with fewer trees; all other steps are shared."""
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
