"""The model ``k-means``: clusters around centres."""

from __future__ import annotations

from typing import ClassVar

import lockgate


@lockgate.plugin
class KMeans:
    """K-means: groups rows around centres, without a target; for ``project.task=clustering``.

    Arthur and Vassilvitskii (2007), k-means++: the advantages of careful seeding.
    """

    tasks: ClassVar = ("clustering",)

    max_clusters: int = lockgate.setting(
        10, at_least=2, at_most=1000, help="largest number of clusters to try"
    )
    clusters: int | None = lockgate.setting(
        None, at_least=2, at_most=1000, help="the number of clusters, instead of a search for it"
    )

    @lockgate.hookimpl
    def build(self, request: lockgate.BuildRequest) -> lockgate.Recipe:
        """Return a recipe with scikit-learn's k-means."""
        from sklearn.cluster import KMeans as Clusters

        counts = [*range(2, self.max_clusters + 1)] if self.clusters is None else [self.clusters]
        return lockgate.Recipe(
            # several starts, as a single one may end in a poor optimum
            Clusters(n_clusters=counts[0], n_init=10, random_state=request.seed),
            request.task,
            space={"n_clusters": counts},
        )
