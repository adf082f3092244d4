"""The result of comparing two bundles."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from lockgate.modeling.metrics.number_texts import format_change
from lockgate.models.bundle.html_page import html_page, section, table
from lockgate.models.comparison.agreement import Agreement
from lockgate.models.comparison.changed_slices import ChangedSlices
from lockgate.models.comparison.compared_bundle import ComparedBundle
from lockgate.models.comparison.manifests import Difference
from lockgate.models.comparison.metric_changes import MetricChange
from lockgate.models.comparison.pictures import metrics_html, slices_html
from lockgate.models.comparison.texts import (
    describe_agreement,
    describe_rows,
    size_and_speed,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    """Two bundles, on the same rows in the same run.

    Attributes
    ----------
    first, second : ComparedBundle
        The bundles; changes are those from the first to the second.
    rows : int
        Number of rows that both were measured on; 0 if only reported metrics are compared.
    source : str
        Where the rows come from.
    metrics : tuple of MetricChange
        Metrics of both, with the interval of their difference.
    agreement : Agreement or None
        How far their predictions agree; None without rows.
    slices : ChangedSlices or None
        Where they disagree, and where either is better; None without rows or a target.
    differences : tuple of Difference
        How the bundles themselves differ: inputs, data, environment.
    notes : tuple of str
        What to know before the numbers.
    differing : DataFrame or None
        The rows that both predict differently, with both predictions; None without rows.

    """

    first: ComparedBundle
    second: ComparedBundle
    rows: int
    source: str
    metrics: tuple[MetricChange, ...]
    agreement: Agreement | None
    slices: ChangedSlices | None
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    differing: pd.DataFrame | None = None

    @property
    def verdict(self) -> str:
        """Which of both is better, in a sentence."""
        if not self.rows:
            return "Not compared on the same rows: the metrics are those that each bundle reports."
        decisive = next((change for change in self.metrics if change.decides), None)
        if decisive is None:
            return "No metric says which of the two is better."
        text = f"{decisive.title} {format_change(decisive.change)}"
        if decisive.change.low is None:
            return f"The rows are too few to say which of the two is better: {text}."
        if decisive.better is None:
            return f"Neither is better beyond chance: {text}."
        side = self.first if decisive.better == "first" else self.second
        return f"{side.label} is better: {text}."

    @property
    def sentences(self) -> list[str]:
        """What the bundles were compared on, and what to know before the numbers."""
        return [describe_rows(self.rows, self.source, self.first, self.second), *self.notes]

    def html_sections(self) -> str:
        """Return the comparison as sections of HTML; every text in it is escaped."""
        labels = self.first.label, self.second.label
        lead = "".join(f"<p>{escape(text)}</p>" for text in self.sentences)
        parts = [
            f'<p class="lead">{escape(self.verdict)}</p>{lead}',
            section("Metrics", metrics_html(self.metrics, labels)),
        ]
        if self.agreement is not None:
            texts = describe_agreement(self.agreement, labels)
            inside = "".join(f"<p>{escape(text)}</p>" for text in texts)
            parts.append(section("Predictions", inside))
        if self.slices is not None:
            parts.append(section("Slices", slices_html(self.slices, labels)))
        costs = size_and_speed(self.first, self.second)
        parts.append(section("Size and speed", table(("", *labels), costs)))
        if self.differences:
            rows = [(entry.subject, entry.first, entry.second) for entry in self.differences]
            parts.append(section("Differences of the bundles", table(("", *labels), rows)))
        return "".join(parts)

    def html_page(self) -> str:
        """Return a page in one file, with nothing to fetch."""
        return html_page(f"{self.second.label} against {self.first.label}", self.html_sections())

    def _repr_html_(self) -> str:
        """Return the comparison for notebooks; nothing in it is live."""
        return self.html_sections()
