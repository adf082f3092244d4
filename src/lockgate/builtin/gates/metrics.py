"""Metrics by their dotted name, measured or reported, for the gates that read them."""

from __future__ import annotations

import lockgate

DEFAULT_METRICS = {
    "binary": "roc_auc",
    "multiclass": "accuracy",
    "regression": "r2",
    "multioutput": "mean_r2",
    "clustering": "silhouette",
    "anomaly": "score_shift",
}
"""What ``auto`` stands for: metrics of at most 1, so that one margin suits all tasks."""


def default_metric(bundle: lockgate.EvaluatedBundle) -> str:
    """Return the metric that ``auto`` stands for."""
    quantile = None if bundle.output is None else bundle.output.quantile
    return DEFAULT_METRICS[bundle.task] if quantile is None else "quantile_skill"
