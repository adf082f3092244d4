"""XGBoost's classifier for classes of any name; its own takes the numbers 0, 1, ... only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from xgboost import XGBClassifier

__all__ = ["XGBoostClassifier"]


class XGBoostClassifier(XGBClassifier):
    """XGBoost's classifier, fitted on the numbers of the classes."""

    def fit(self, X: Any, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Any:
        """Fit on labels of any kind."""
        labels, codes = np.unique(np.asarray(y), return_inverse=True)
        self.__dict__.pop("labels_", None)  # the parent compares its classes with the codes
        super().fit(X, codes, sample_weight=sample_weight)
        self.labels_ = labels
        return self

    @property
    def classes_(self) -> np.ndarray:
        """The labels, sorted."""
        return np.asarray(self.__dict__.get("labels_", super().classes_))

    def predict(self, X: Any, **options: Any) -> np.ndarray:
        """Predict labels."""
        return np.asarray(self.labels_[super().predict(X, **options)])
