"""The model ``tree``: a decision tree."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate


@lockgate.plugin
class Tree:
    """A decision tree: a few questions that can be read; rarely the best model."""

    tasks: ClassVar = ("binary", "multiclass", "regression", "multioutput")

    max_depth: int = lockgate.setting(
        10, at_least=1, at_most=50, help="maximum number of questions before an answer"
    )
    balanced: bool = lockgate.setting(False, help="weight classes inversely to their frequency")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's decision tree."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        options: dict[str, Any] = {"max_depth": self.max_depth, "random_state": request.seed}
        if request.predicts_numbers:
            estimator = DecisionTreeRegressor(**options)
        else:
            estimator = DecisionTreeClassifier(
                class_weight="balanced" if self.balanced else None, **options
            )
        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "max_depth": lockgate.SearchRange(1, self.max_depth, integer=True),
            "min_samples_leaf": [1, 5, 20, 100],
        }
        requirements = lockgate.Requirements(scaled=False, encoding="ordinal")
        return lockgate.Recipe(estimator, request.task, space=space, requirements=requirements)
