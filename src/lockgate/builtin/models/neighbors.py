"""The model ``neighbors``: nearest neighbors."""

from __future__ import annotations

from typing import Any, ClassVar

import lockgate


@lockgate.plugin
class Neighbors:
    """Nearest neighbors: the average of the most similar training rows, which the model keeps."""

    tasks: ClassVar = ("binary", "multiclass", "regression", "multioutput")

    max_neighbors: int = lockgate.setting(
        30,
        at_least=1,
        at_most=10_000,
        help="largest number of neighbors to try, at most the rows of a fold; more for noisy rows",
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's nearest neighbors."""
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        regression = request.predicts_numbers
        estimator_class = KNeighborsRegressor if regression else KNeighborsClassifier
        # a search tree is a memory image, which a model file must not contain
        estimator = estimator_class(algorithm="brute")
        space: dict[str, lockgate.SearchRange | list[Any]] = {
            "n_neighbors": lockgate.SearchRange(
                1, self.max_neighbors, log_scale=True, integer=True
            ),
            "weights": ["uniform", "distance"],
        }
        return lockgate.Recipe(estimator, request.task, space=space)
