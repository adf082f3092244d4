"""The model card: what a bundle is, for the person who finds it in a year."""

from __future__ import annotations

from typing import Any

from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import Made

__all__ = ["model_card"]


def model_card(stage: Stage, made: Made, facts: dict[str, Any], report: dict[str, Any]) -> str:
    """Write the card as Markdown (sections after Mitchell et al., Model Cards, 2019)."""
    chosen = stage.document.chosen
    target = made.schema.target
    lines = [
        f"# {stage.sections.project.name}",
        "",
        f"A {made.task} model of `{target}`: {_names(chosen['model'])}, tuned by "
        f"{_names(chosen['optimizer'])}, compressed by {_names(chosen['compressor'])}.",
        "",
        "## Data",
        "",
        f"Loaded by `{_names(chosen['loader'])}`: {facts['rows']['train']} rows to train, "
        f"{facts['rows']['tune']} to tune, {facts['rows']['test']} to test, split by "
        f"{facts['split']}.",
        *(f"Left out: {n} rows, {reason}." for reason, n in facts["rows_left_out"].items()),
        "",
        "## Inputs",
        "",
        "| column | kind | known values | gaps |",
        "|---|---|---|---|",
        *(_input(column) for column in made.schema.features),
        "",
        "## Figures on rows that nothing was decided on",
        "",
        "| evaluator | figure | estimate | 95 % interval |",
        "|---|---|---|---|",
    ]
    for name, one in report.items():
        for figure, metric in one["metrics"].items():
            low, high = metric["low"], metric["high"]
            between = "" if low is None else f"{low:.4g} to {high:.4g}"
            lines.append(f"| {name} | {figure} | {metric['estimate']:.4g} | {between} |")
    threshold, rule = made.threshold, stage.sections.decision.rule
    if threshold is not None:
        positive = made.classes[1]
        lines += ["", f"`{positive}` is answered from a score of {threshold:.4g} on ({rule})."]
    return "\n".join(lines) + "\n"


def _input(column: Any) -> str:
    if column.categories:
        shown = ", ".join(column.categories[:8]) + (", ..." if len(column.categories) > 8 else "")
    else:
        shown = "" if column.bounds is None else f"{column.bounds[0]:g} to {column.bounds[1]:g}"
    gaps = "refused" if column.missing == "refuse" else "allowed"
    return f"| {column.name} | {column.kind} | {shown} | {gaps} |"


def _names(chosen: Any) -> str:
    return ", ".join(one.instance for one in chosen) or "nothing"
