"""A comparison of two bundles, for a terminal and for scripts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from lockgate.cli.terminal.text import align_columns
from lockgate.contract.evaluation import Metric
from lockgate.data.io.visible import visible

if TYPE_CHECKING:
    from lockgate.models.comparison.comparison import Comparison

__all__ = ["comparison_json", "comparison_lines"]

MOST_SLICES = 5
MOST_DIFFERENCES = 20


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return a comparison as lines of text."""
    from lockgate.modeling.metrics.number_texts import format_change, format_number
    from lockgate.models.comparison.texts import describe_agreement, size_and_speed

    labels = comparison.first.label, comparison.second.label
    sides: dict[str | None, str] = {"first": labels[0], "second": labels[1]}
    lines = [comparison.verdict, *comparison.sentences, ""]
    rows: list[tuple[str, ...]] = [
        ("", *labels, "change (95 % interval)" if comparison.rows else "change", "better")
    ]
    rows += [
        (
            change.title,
            format_number(change.first),
            format_number(change.second),
            format_change(change.change),
            sides.get(change.better, ""),
        )
        for change in comparison.metrics
    ]
    rows += [(*cost, "", "") for cost in size_and_speed(comparison.first, comparison.second)]
    lines += _aligned(rows)
    if comparison.agreement is not None:
        lines += ["", *describe_agreement(comparison.agreement, labels)]
    if comparison.slices is not None:
        lines += ["", *_slice_lines(comparison)]
    if comparison.differences:
        shown = comparison.differences[:MOST_DIFFERENCES]
        lines += ["", "Differences of the bundles:"]
        lines += _aligned([(entry.subject, entry.first, entry.second) for entry in shown])
        if more := len(comparison.differences) - len(shown):
            lines.append(f"  and {more} more: --page or --json has them all")
    return [visible(line, limit=300) for line in lines]


def _slice_lines(comparison: Comparison) -> list[str]:
    """Return where either is better, and where they disagree most."""
    from lockgate.modeling.metrics.number_texts import format_change
    from lockgate.models.comparison.texts import MORE_SLICES, NO_SLICES

    slices = comparison.slices
    if slices is None or not slices.compared:
        return [NO_SLICES]
    if not slices.changed and not slices.disagreeing:
        return [f"None of {slices.compared:,} slices stands out beyond chance."]
    lines = [MORE_SLICES] if slices.are_more else []
    for change in slices.changed[:MOST_SLICES]:
        interval = format_change(Metric(change.second - change.first, change.low, change.high))
        side = comparison.second if change.second < change.first else comparison.first
        lines.append(
            f"{side.label} is better where {change.column} is {change.value}: {slices.loss} "
            f"{interval}, {change.rows:,} rows"
        )
    if len(slices.changed) > MOST_SLICES:
        more = len(slices.changed) - MOST_SLICES
        lines.append(f"and {more} more such slices: --page or --json has them all")
    for part in slices.disagreeing[:MOST_SLICES]:
        lines.append(
            f"They differ most where {part.column} is {part.value}: {part.disagreement:.3g}, on "
            f"other rows {part.others:.3g} ({part.rows:,} rows)"
        )
    return lines


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    cells = [[visible(cell, limit=60) for cell in row] for row in rows]
    return [line.rstrip() for line in align_columns(cells, indent=2)]


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data."""
    plain = {
        field.name: getattr(comparison, field.name)
        for field in dataclasses.fields(comparison)
        if field.name != "differing"
    }
    metrics = [
        {**dataclasses.asdict(change), "better": change.better} for change in comparison.metrics
    ]
    return {
        "verdict": comparison.verdict,
        **{name: _plain(value) for name, value in plain.items()},
        "metrics": metrics,
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value
