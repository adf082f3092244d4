"""Titles of the metrics, for pages and messages."""

from __future__ import annotations

import re

from lockgate.modeling.metrics.multioutput import OF_EACH_TARGET

__all__ = ["metric_title"]

TITLES = {
    "roc_auc": "ROC AUC",
    "pr_auc": "average precision (PR AUC)",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "expected calibration error",
    "f1": "F1 score",
    "r2": "R²",
    "mean_r2": "R², mean of the targets",
    "rmse": "RMSE",
    "mae": "MAE",
    "quantile_loss": "quantile (pinball) loss",
    "quantile_skill": "share by which the quantile loss is below that of a constant",
    "at_or_below": "share of rows at or below the predicted quantile",
    "silhouette": "silhouette",
    "davies_bouldin": "Davies-Bouldin index",
    "smallest_share": "share of the smallest cluster",
    "largest_share": "share of the largest cluster",
    "coverage": "coverage of intervals or sets",
    "interval_width": "mean width of the intervals",
    "set_size": "mean number of classes in a set",
    "score_shift": "shift of the scores against training (KS distance)",
    "flagged": "share called anomalies",
    "bias": "mean error (bias)",
    "model_kb": "model size (kB)",
    "rows_per_second": "throughput (rows per second)",
    "one_row_us": "latency of a single row (µs)",
    "per_1000": "value per 1,000 rows",
    "per_1000_all": "value per 1,000 rows, acting on every row",
    "per_1000_none": "value per 1,000 rows, acting on no row",
    "acts_on": "share of rows acted on",
    "threshold": "decision threshold",
    "best_threshold_in_hindsight": "best decision threshold on the test rows",
    "best_per_1000_in_hindsight": "value per 1,000 rows at that threshold",
}


def metric_title(name: str) -> str:
    """Return a metric's title; of a plugin's metric, its name with spaces.

    Examples
    --------
    >>> metric_title("r2"), metric_title("rmse_heating"), metric_title("my_metric")
    ('R²', 'RMSE of heating', 'my metric')
    >>> metric_title("lift_top_5pct"), metric_title("recall_at_fpr_1pct")
    ('lift of the top 5 % of rows', 'recall at a false positive rate of 1 %')
    >>> metric_title("calls_per_1000")
    'calls in the rows acted on, per 1,000 rows'

    """
    if match := re.fullmatch(r"(precision|recall|lift)_top_([\d.e-]+)pct", name):
        return f"{match[1]} of the top {match[2]} % of rows"
    if match := re.fullmatch(r"recall_at_fpr_([\d.e-]+)pct", name):
        return f"recall at a false positive rate of {match[1]} %"
    if name not in TITLES and (match := re.fullmatch(r"(.+)_(per_1000|share)", name)):
        held = f"{match[1]} in the rows acted on"
        return f"{held}, per 1,000 rows" if match[2] == "per_1000" else f"{held}, share of all"
    metric, _, target = name.partition("_")
    if metric in OF_EACH_TARGET and target:
        return f"{TITLES[metric]} of {target}"
    return TITLES.get(name, name.replace("_", " "))
