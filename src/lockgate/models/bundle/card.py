"""The model card: a bundle described for its readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lockgate.contract.tables import Column, Schema
from lockgate.data.columns.personal import is_personal
from lockgate.modeling.metrics.titles import metric_title
from lockgate.models.bundle.open_format import Model
from lockgate.models.packed.format.linear import Kernel
from lockgate.models.packed.format.neighbors import NearestRows, NeighborCells
from lockgate.models.packed.runtime.model import PackedModel

__all__ = ["describe_carried_rows", "describe_quantile", "front_matter", "model_card"]

TASKS = {
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "regression": "tabular-regression",
    "multioutput": "tabular-regression",
}
"""What Hugging Face calls a task."""


def describe_quantile(quantile: float) -> str:
    """Return what a predicted quantile is, as a sentence."""
    return (
        f"Each value is the {quantile:g} quantile: of rows like those of training, "
        f"{100 * quantile:.4g} % have a true value at or below it."
    )


def describe_carried_rows(model: Model) -> list[str]:
    """Return a warning if the model's file holds rows of training."""
    if not isinstance(model, PackedModel):
        return []
    names = {
        op.vectors if isinstance(op, Kernel) else op.points
        for op in model.header.ops
        if isinstance(op, (Kernel, NearestRows, NeighborCells))
    }
    rows = max((len(model.arrays[name]) for name in names), default=0)
    if not rows:
        return []
    return [
        f"The model file holds {rows:,} of the rows that it was trained on, as it needs them to "
        "predict: whoever has the bundle has them, scaled and encoded."
    ]


def model_card(
    name: str,
    task: str,
    schema: Schema,
    *,
    description: str,
    data_notes: Sequence[str],
    metrics_by_evaluator: Mapping[str, dict[str, Any]],
    baselines_by_evaluator: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
    warnings: Sequence[str] = (),
    classes: Sequence[object] = (),
    contract: Mapping[str, Any] | None = None,
    decision: str = "",
    lineage: Sequence[str] = (),
) -> str:
    """Write the card as Markdown (sections after Mitchell et al., Model Cards, 2019).

    It begins with metadata in YAML as Hugging Face reads them, so that it can be published there
    as README.md.

    Parameters
    ----------
    name : str
        Name of the model.
    task : str
        Kind of prediction.
    schema : Schema
        Inputs and target.
    description : str
        How the model was made, in one sentence.
    data_notes : sequence of str
        Sentences about the rows.
    metrics_by_evaluator : mapping
        Metrics by evaluator, as dictionaries with estimate, low and high.
    baselines_by_evaluator : mapping, optional
        Metrics of baselines by evaluator, and by what the baseline is.
    warnings : sequence of str
        What makes the metrics too good, or the model no better than a baseline.
    classes : sequence
        Labels in the order of the scores; the second of two is the positive one.
    contract : mapping, optional
        The data contract that the rows hold, as it is written.
    decision : str
        From which score which class is predicted, in one sentence.
    lineage : sequence of str
        Origin of the model, one line each.

    """
    names = ", ".join(f"`{name}`" for name in schema.targets)
    of = f" of {names}" if names else ""
    of += f" (positive class: `{classes[1]}`)" if len(classes) == 2 else ""
    rules = {} if contract is None else contract["columns"]
    held = [f"They hold the data contract of {len(rules)} columns that the bundle carries."]
    lines = [
        front_matter(name, task, metrics_by_evaluator),
        f"# {name}",
        "",
        f"{'An' if task[0] in 'aeiou' else 'A'} {task} model{of}: {description}",
        "",
        *(line for warning in warnings for line in (f"> **Warning:** {warning}", "")),
        "## Data",
        "",
        *data_notes,
        *(held if rules else []),
        "",
        "## Inputs",
        "",
        "| column | kind | known values | missing values |",
        "|---|---|---|---|",
        *(_input(column, rules.get(column.name)) for column in schema.features),
        "",
        "## Metrics on held-out rows",
        "",
    ]
    baselines = baselines_by_evaluator or {}
    labels = list(dict.fromkeys(label for named in baselines.values() for label in named))
    if metrics_by_evaluator:
        head = ["evaluator", "metric", "estimate", "95 % interval", *labels]
        lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    else:
        lines += ["None: there were no test rows."]
    for evaluator, metrics in metrics_by_evaluator.items():
        for metric_name, metric in metrics.items():
            low, high = metric["low"], metric["high"]
            interval = "" if low is None else f"{low:.4g} to {high:.4g}"
            beside = [
                baselines.get(evaluator, {}).get(label, {}).get(metric_name) for label in labels
            ]
            cells = [evaluator, metric_title(metric_name), f"{metric['estimate']:.4g}", interval]
            cells += ["" if value is None else f"{value:.4g}" for value in beside]
            lines.append(f"| {' | '.join(cells)} |")
    if decision:
        lines += ["", decision]
    if lineage:
        lines += ["", "## Origin", "", *lineage]
    return "\n".join(lines) + "\n"


def front_matter(
    name: str, task: str, metrics_by_evaluator: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the metadata of a card: library, task and metrics (Hugging Face's model-index).

    Examples
    --------
    >>> print(front_matter("shop", "clustering", {}))
    ---
    library_name: lockgate
    tags:
    - tabular
    - clustering
    ---
    <BLANKLINE>

    """
    content: dict[str, Any] = {"library_name": "lockgate", "tags": ["tabular", task]}
    kind = TASKS.get(task)
    if kind is not None:
        content["pipeline_tag"] = kind
    metrics = [
        {
            "type": metric,
            "name": f"{metric_title(metric)} ({evaluator})",
            "value": float(f"{values['estimate']:.6g}"),
        }
        for evaluator, measured in metrics_by_evaluator.items()
        for metric, values in measured.items()
        if math.isfinite(values["estimate"])
    ]
    if metrics and kind is not None:
        result = {
            "task": {"type": kind},
            "dataset": {"name": "held-out rows", "type": "tabular"},
            "metrics": metrics,
        }
        content["model-index"] = [{"name": name, "results": [result]}]
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n"


def _input(column: Column, rule: Mapping[str, Any] | None) -> str:
    if column.kind != "boolean" and is_personal(column.name):
        shown = "not shown: the name suggests personal data"
    elif column.categories:
        shown = ", ".join(column.categories[:8]) + (", ..." if len(column.categories) > 8 else "")
    else:
        shown = "" if column.bounds is None else f"{column.bounds[0]:g} to {column.bounds[1]:g}"
    missing = "not allowed" if column.missing == "refuse" else "allowed"
    if rule is not None and missing == "allowed":
        share = rule.get("missing", 0)
        missing = f"up to {100 * share:.3g}%" if share else "not allowed by the data contract"
    return f"| {column.name} | {column.kind} | {shown} | {missing} |"
