"""A packed model with the interface of a fitted estimator."""

from __future__ import annotations

import numpy as np

from lockgate.models.packed.format.array_types import RowSource
from lockgate.models.packed.runtime.model import PackedModel

__all__ = ["PackedEstimator"]


class PackedEstimator:
    """Predicts with a packed model as a fitted scikit-learn estimator does.

    Parameters
    ----------
    raw : bytes
        The packed model.

    Attributes
    ----------
    raw : bytes
        The packed model.
    model : PackedModel
        The same, opened.
    classes_ : ndarray
        Labels in the order of the scores.

    """

    def __init__(self, raw: bytes) -> None:
        self.raw, self.model = raw, PackedModel(raw)
        self.classes_ = np.asarray(self.model.classes)

    def predict(self, rows: RowSource) -> np.ndarray:
        """Return labels or values, shape (n,) or (n, targets)."""
        return self.model.predict(rows).label

    def predict_proba(self, rows: RowSource) -> np.ndarray:
        """Return the probability of each class, shape (n, classes)."""
        score = self.model.predict(rows).score
        if score is None:
            raise AttributeError("this packed model has no probabilities")
        return np.stack([1 - score, score], axis=1) if score.ndim == 1 else score
