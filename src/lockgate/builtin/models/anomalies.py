"""Isolation forest, support vectors of one class, Gaussian mixture: models without a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import lockgate

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["GaussianMixture", "IsolationForest", "OneClassSvm"]


def _make_recipe(
    request: lockgate.BuildRequest, detector: BaseEstimator, *, scaled: bool
) -> lockgate.Recipe:
    from lockgate.modeling.training.anomaly_detector import AnomalyDetector

    return lockgate.Recipe(
        AnomalyDetector(detector),
        request.task,
        requirements=lockgate.Requirements(scaled=scaled),
    )


@lockgate.plugin
class IsolationForest:
    """Isolation forest: rows that few cuts set apart are anomalies; for ``project.task=anomaly``.

    Liu, Ting and Zhou (2008), Isolation Forest.
    """

    tasks: ClassVar = ("anomaly",)

    trees: int = lockgate.setting(200, at_least=1, at_most=10_000, help="number of trees")

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's isolation forest."""
        from sklearn.ensemble import IsolationForest as Detector

        detector = Detector(n_estimators=self.trees, random_state=request.seed)
        return _make_recipe(request, detector, scaled=False)


@lockgate.plugin
class OneClassSvm:
    """Support vectors of one class: rows outside of a smooth boundary around the training rows.

    Schoelkopf et al. (2001), Estimating the support of a high-dimensional distribution.
    """

    tasks: ClassVar = ("anomaly",)

    outside: float = lockgate.setting(
        0.05, above=0, at_most=1, help="share of the training rows outside of the boundary (nu)"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's support vectors of one class."""
        from sklearn.svm import OneClassSVM

        return _make_recipe(request, OneClassSVM(nu=self.outside), scaled=True)


@lockgate.plugin
class GaussianMixture:
    """A mixture of normal distributions: its components are clusters, or low density anomalies."""

    tasks: ClassVar = ("anomaly", "clustering")

    components: int = lockgate.setting(
        4, at_least=1, at_most=200, help="task anomaly: number of normal distributions"
    )
    max_clusters: int = lockgate.setting(
        10, at_least=2, at_most=1000, help="task clustering: largest number of clusters to try"
    )
    clusters: int | None = lockgate.setting(
        None,
        at_least=2,
        at_most=1000,
        help="task clustering: the number of clusters, instead of a search for it",
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with a Gaussian mixture."""
        if request.task == "clustering":
            return self._of_clusters(request)
        from sklearn.mixture import GaussianMixture as Density

        # constant and dependent columns, such as those of categories, have no density of their own
        density = Density(self.components, reg_covar=1e-3, n_init=3, random_state=request.seed)
        return _make_recipe(request, density, scaled=True)

    def _of_clusters(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        from lockgate.modeling.training.mixture_clusters import MixtureClusters

        counts = [*range(2, self.max_clusters + 1)] if self.clusters is None else [self.clusters]
        return lockgate.Recipe(
            MixtureClusters(counts[0], random_state=request.seed),
            request.task,
            space={"n_clusters": counts},
        )
