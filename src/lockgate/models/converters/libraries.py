"""Names the library that a fitted estimator comes from, without importing any."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["library_of", "library_of_last", "packages_of"]


def library_of(estimator: BaseEstimator) -> str:
    """Return the top-level package of an estimator's class, e.g. ``sklearn``."""
    return type(estimator).__module__.partition(".")[0]


def packages_of(estimator: BaseEstimator) -> tuple[str, ...]:
    """Return the top-level packages of an estimator's class and of its base classes, in order."""
    classes = type(estimator).__mro__
    return tuple(dict.fromkeys(cls.__module__.partition(".")[0] for cls in classes))


def library_of_last(estimator: BaseEstimator) -> str:
    """Return the package of a model's class, or of the last step of a pipeline."""
    return library_of(estimator.steps[-1][1] if getattr(estimator, "steps", None) else estimator)
