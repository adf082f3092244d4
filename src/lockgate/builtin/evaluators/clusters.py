"""The evaluator ``clustering``: how well clusters are apart, how large they are, and of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lockgate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MOST_COLUMNS = 30
"""Columns that the table of clusters shows."""


@lockgate.plugin
class Clustering:
    """How well clusters are apart (silhouette, Davies-Bouldin), their sizes and typical cells."""

    tasks: ClassVar = ("clustering",)

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        import numpy as np

        from lockgate.modeling.metrics.losses import check_evaluator, metrics_for_task, truth_of

        check_evaluator("clustering", request.task)
        table, labels = request.table, np.asarray(request.output.label)
        points = truth_of(table, request.task)
        values = metrics_for_task(request.task, points, request.output, request.classes, None)(
            table.weight
        )
        metrics = {name: lockgate.Metric(v) for name, v in values.items() if np.isfinite(v)}
        weight = np.ones(len(labels)) if table.weight is None else table.weight.astype(float)
        shares = [float(weight[labels == c].sum() / weight.sum()) for c in request.classes]
        return lockgate.Report(
            metrics,
            tables={"clusters": _describe_clusters(table, labels, request.classes, shares)},
            plots=(_plot_sizes(request.classes, shares),),
            messages=_summarize(metrics, request.classes, shares),
        )


def _summarize(
    metrics: dict[str, lockgate.Metric], classes: tuple[Any, ...], shares: list[float]
) -> tuple[str, ...]:
    silhouette = metrics.get("silhouette")
    if silhouette is None:
        return (
            "the silhouette is undefined: all test rows are in one cluster, or each in its own",
        )
    largest, empty = max(shares), sum(share == 0 for share in shares)
    messages = [
        f"{len(classes)} clusters, silhouette {silhouette.estimate:.2f} (1: far apart, 0: they "
        f"touch); the largest has {largest:.0%} of the rows"
    ]
    if empty:
        messages.append(f"{empty} of {len(classes)} clusters have no test row")
    return tuple(messages)


def _describe_clusters(
    table: lockgate.Table, labels: np.ndarray, classes: tuple[Any, ...], shares: list[float]
) -> tuple[dict[str, Any], ...]:
    """Return a row for each cluster: its share, and of each column the mean or a typical cell."""
    rows = []
    for cluster, share in zip(classes, shares, strict=True):
        row: dict[str, Any] = {"cluster": cluster, "share": share}
        members = table.frame[labels == cluster]
        for column in table.schema.features[:MOST_COLUMNS]:
            row[column.name] = _typical_cell(members[column.name], column.kind)
        rows.append(row)
    return tuple(rows)


def _typical_cell(cells: pd.Series, kind: str) -> str | float | None:
    """Return the mean of numbers, the middle of dates, or the most frequent text with its share."""
    from lockgate.data.columns.categories import category_text

    known = cells.dropna()
    if not len(known) or kind == "text":
        return None
    if kind == "date":
        return f"{known.sort_values().iloc[len(known) // 2]:%Y-%m-%d}"
    if kind == "category":
        shares = known.map(category_text).value_counts(normalize=True)
        return f"{shares.index[0]} ({shares.iloc[0]:.0%})"
    return float(known.astype(float).mean())


def _plot_sizes(classes: tuple[Any, ...], shares: list[float]) -> lockgate.Plot:
    return lockgate.Plot(
        "sizes",
        "Size of the clusters on the test rows",
        "cluster",
        "share of the rows",
        (lockgate.Series("rows", tuple(map(str, classes)), tuple(shares)),),
        kind="bar",
    )
