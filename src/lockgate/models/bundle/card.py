"""The model card: what a bundle is, for the person who finds it in a year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.contract.tables import Schema

__all__ = ["model_card"]


def model_card(
    name: str,
    task: str,
    schema: Schema,
    *,
    description: str,
    data_notes: Sequence[str],
    metrics_by_evaluator: Mapping[str, Mapping[str, Any]],
    decision: str = "",
    lineage: Sequence[str] = (),
) -> str:
    """Write the card as Markdown (sections after Mitchell et al., Model Cards, 2019).

    Parameters
    ----------
    name, task, schema
        Which model, what it predicts, from what.
    description : str
        How it came about, in a sentence.
    data_notes : sequence of str
        Sentences about the rows.
    metrics_by_evaluator : mapping
        Metrics by evaluator, as dictionaries with estimate, low and high.
    decision : str
        From which score on which class is answered.
    lineage : sequence of str
        Where it comes from, a line each.

    """
    of = f" of `{schema.target}`" if schema.target else ""
    lines = [
        f"# {name}",
        "",
        f"A {task} model{of}: {description}",
        "",
        "## Data",
        "",
        *data_notes,
        "",
        "## Inputs",
        "",
        "| column | kind | known values | gaps |",
        "|---|---|---|---|",
        *(_input(column) for column in schema.features),
        "",
        "## Figures on rows that nothing was decided on",
        "",
    ]
    if metrics_by_evaluator:
        lines += ["| evaluator | figure | estimate | 95 % interval |", "|---|---|---|---|"]
    else:
        lines += ["None: no test rows were given."]
    for evaluator, metrics in metrics_by_evaluator.items():
        for metric_name, metric in metrics.items():
            low, high = metric["low"], metric["high"]
            interval = "" if low is None else f"{low:.4g} to {high:.4g}"
            lines.append(f"| {evaluator} | {metric_name} | {metric['estimate']:.4g} | {interval} |")
    if decision:
        lines += ["", decision]
    if lineage:
        lines += ["", "## Origin", "", *lineage]
    return "\n".join(lines) + "\n"


def _input(column: Any) -> str:
    if column.categories:
        shown = ", ".join(column.categories[:8]) + (", ..." if len(column.categories) > 8 else "")
    else:
        shown = "" if column.bounds is None else f"{column.bounds[0]:g} to {column.bounds[1]:g}"
    missing = "refused" if column.missing == "refuse" else "allowed"
    return f"| {column.name} | {column.kind} | {shown} | {missing} |"
