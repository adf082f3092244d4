"""A bundle as HTML for notebooks: task, inputs, metrics, origin."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from lockgate.models.bundle.manifest import Manifest

__all__ = ["bundle_html"]

MAXIMUM_ROWS = 30


def bundle_html(
    manifest: Manifest, metrics: dict[str, Any], *, digest: str, size_bytes: int
) -> str:
    """Return a small table; every text of the bundle is escaped."""
    target = ", ".join(manifest.schema.targets)
    facts = [
        ("task", manifest.task + (f" of {target}" if target else "")),
        ("classes", ", ".join(map(str, manifest.classes)) or "none"),
        ("digest", f"{digest[:12]}, {size_bytes / 1024:.1f} kB, format {manifest.format}"),
        (
            "threshold",
            "the model's own rule" if manifest.threshold is None else f"{manifest.threshold:.4g}",
        ),
        *(("metric", text) for text in _format_metrics(metrics)),
        *((f"declared {key}", value) for key, value in manifest.hashes.declared.items()),
    ]
    features = manifest.schema.features
    columns = [
        (
            column.name,
            column.kind,
            ", ".join(column.categories[:6]) or _bounds(column.bounds),
            column.missing,
        )
        for column in features[:MAXIMUM_ROWS]
    ]
    more = f"<p>and {len(features) - MAXIMUM_ROWS} more</p>" if len(features) > MAXIMUM_ROWS else ""
    return (
        f"<div><strong>{escape(manifest.name)}</strong>"
        f"<table>{_rows(facts)}</table>"
        "<details open><summary>inputs</summary><table>"
        "<tr><th>column</th><th>kind</th><th>known values</th><th>missing values</th></tr>"
        f"{_rows(columns)}</table>{more}</details></div>"
    )


def _rows(rows: Sequence[tuple[str, ...]]) -> str:
    return "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )


def _bounds(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:g} to {bounds[1]:g}"


def _format_metrics(metrics: dict[str, Any]) -> list[str]:
    lines = []
    for evaluator, evaluator_metrics in metrics.items():
        for key, metric in evaluator_metrics.items():
            interval = ""
            if metric["low"] is not None:
                interval = f" ({metric['low']:.4g} to {metric['high']:.4g})"
            lines.append(f"{evaluator}.{key} {metric['estimate']:.4g}{interval}")
    return lines
