"""The model ``naive-bayes``: Gaussian naive Bayes."""

from __future__ import annotations

from typing import ClassVar

import lockgate


@lockgate.plugin
class NaiveBayes:
    """Gaussian naive Bayes: fits at once, for a first look; its scores are too sure."""

    tasks: ClassVar = ("binary", "multiclass")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's Gaussian naive Bayes."""
        from sklearn.naive_bayes import GaussianNB

        if request.task == "regression":
            raise lockgate.DataError(
                "model naive-bayes needs a classification task, got regression; "
                "choose model=linear or model=boosting"
            )
        space = {"var_smoothing": lockgate.SearchRange(1e-9, 1, log_scale=True)}
        return lockgate.Recipe(GaussianNB(), request.task, space=space)
