"""Tables of a comparison as HTML, with pictures of intervals."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lockgate.contract.evaluation import Metric
from lockgate.modeling.metrics.number_texts import format_change, format_number
from lockgate.models.bundle.html_page import Markup, table
from lockgate.models.comparison.changed_slices import ChangedSlices, LossChange
from lockgate.models.comparison.metric_changes import MetricChange
from lockgate.models.comparison.texts import MORE_SLICES, NO_SLICES

__all__ = ["metrics_html", "slices_html"]

WIDTH, HEIGHT = 160, 16
"""Size of a picture of an interval, in pixels."""


def metrics_html(metrics: Sequence[MetricChange], labels: tuple[str, str]) -> str:
    """Return the metrics of both bundles as a table."""
    largest = {
        change.name: max(
            abs(value)
            for value in (change.change.estimate, change.change.low, change.change.high)
            if value is not None
        )
        for change in metrics
    }
    sides: dict[str | None, str] = {"first": labels[0], "second": labels[1]}
    rows = [
        (
            change.title,
            format_number(change.first),
            format_number(change.second),
            format_change(change.change),
            Markup(_interval_picture(change.change, largest[change.name])),
            sides.get(change.better, ""),
        )
        for change in metrics
    ]
    titles = ("metric", *labels, "change (95 % interval)", "fall | rise", "better")
    return table(titles, rows)


def _interval_picture(change: Metric, largest: float) -> str:
    """Return a picture of an interval around zero, in the width of the largest value."""
    scale = 0.46 * WIDTH / largest if largest > 0 else 0.0
    middle, line = WIDTH / 2, HEIGHT / 2
    x = middle + scale * change.estimate
    parts = [f'<path d="M{middle:g} 0V{HEIGHT}" stroke="currentColor" opacity=".4"/>']
    if change.low is not None and change.high is not None:
        low, high = middle + scale * change.low, middle + scale * change.high
        parts.append(
            f'<path d="M{low:.1f} {line:g}H{high:.1f}" stroke="#1f6f8b" stroke-width="3"/>'
        )
    parts.append(f'<circle cx="{x:.1f}" cy="{line:g}" r="4" fill="#1f6f8b"/>')
    name = escape(format_change(change), quote=True)
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{name}">'
        f"{''.join(parts)}</svg>"
    )


def slices_html(slices: ChangedSlices, labels: tuple[str, str]) -> str:
    """Return what stands out among slices, as tables."""
    if not slices.compared:
        return f"<p>{NO_SLICES}</p>"
    parts = [f"<p>{MORE_SLICES}</p>"] if slices.are_more else []
    if slices.changed:
        parts.append(f"<h3>{escape(slices.loss)} where either is better (lower is better)</h3>")
        parts.append(
            table(
                ("column", "value", "rows", *labels, "change (95 % interval)", ""),
                _loss_rows(slices.changed),
            )
        )
    if slices.disagreeing:
        titles = ("column", "value", "rows", "disagreement", "on other rows")
        rows = [
            (
                part.column,
                part.value,
                f"{part.rows:,}",
                format_number(part.disagreement),
                format_number(part.others),
            )
            for part in slices.disagreeing
        ]
        parts.append("<h3>where predictions differ most</h3>")
        parts.append(table(titles, rows))
    if not parts:
        parts.append(f"<p>None of {slices.compared:,} slices stands out beyond chance.</p>")
    return "".join(parts)


def _loss_rows(changed: Sequence[LossChange]) -> list[tuple[object, ...]]:
    largest = max(max(abs(change.low), abs(change.high)) for change in changed)
    rows: list[tuple[object, ...]] = []
    for change in changed:
        metric = Metric(change.second - change.first, change.low, change.high)
        rows.append(
            (
                change.column,
                change.value,
                f"{change.rows:,}",
                format_number(change.first),
                format_number(change.second),
                format_change(metric),
                Markup(_interval_picture(metric, largest)),
            )
        )
    return rows
