"""What monitors are asked and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.contract.prediction import Output
from lockgate.contract.requests import Request
from lockgate.contract.tables import Schema, Table

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "BinCounts",
    "Finding",
    "Findings",
    "MonitorRequest",
    "MonitoringWindow",
    "ReferenceCounts",
]

Severity = Literal["ok", "notice", "alarm"]


@dataclass(frozen=True)
class BinCounts:
    """How often a column's values fell into fixed bins.

    Attributes
    ----------
    column : str
        Name of the column; ``(score)`` for the model's own answers.
    kind : {"ordered", "nominal"}
        Whether neighbouring bins are close to each other.
    edges : tuple of float
        Ordered: upper ends of all bins but the last, rising.
    categories : tuple of str
        Nominal: names of the bins.
    counts : tuple of int
        Ordered: missing, then ``len(edges) + 1`` bins. Nominal: missing, one
        per category, then all other values.

    """

    column: str
    kind: Literal["ordered", "nominal"]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Rows counted."""
        return sum(self.counts)


@dataclass(frozen=True)
class ReferenceCounts:
    """What a model was trained on, as counts; travels in the bundle.

    Attributes
    ----------
    columns : tuple of Counts
        One per feature.
    scores : Counts or None
        The model's answers on rows it was not fitted on.
    n : int
        Rows counted.

    """

    columns: tuple[BinCounts, ...]
    scores: BinCounts | None = None
    n: int = 0


@dataclass(frozen=True)
class MonitoringWindow:
    """What a model saw in a stretch of time.

    Attributes
    ----------
    counts : mapping of str to Counts
        By column, over the reference's bins.
    n : int
        Rows.
    since, until : str or None
        ISO dates of the stretch [since, until); None where there is no time.
    rows : Table or None
        The rows themselves, where they are at hand.
    outputs : Output or None
        The model's answers to them.
    labels : ndarray or None
        True outcomes, shape (n,); missing where not known yet.

    """

    counts: Mapping[str, BinCounts]
    n: int
    since: str | None = None
    until: str | None = None
    rows: Table | None = None
    outputs: Output | None = None
    labels: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class MonitorRequest(Request):
    """What a monitor is asked to look at.

    Attributes
    ----------
    reference : Reference
        What the model was trained on.
    window : Window
        What it sees now.
    schema : Schema
        The columns.

    """

    reference: ReferenceCounts
    window: MonitoringWindow
    schema: Schema


@dataclass(frozen=True)
class Finding:
    """One thing a monitor looked at, and what it says.

    Attributes
    ----------
    column : str
        What was looked at.
    test : str
        Name of the test.
    effect : float
        Size of the difference, from 0 (none) to 1, in the test's own measure.
    p : float
        Probability of a difference this large if nothing had changed, before
        any correction for many columns.
    severity : {"ok", "notice", "alarm"}
        Notice: certain, yet below the effect that matters.
    since : str or None
        ISO date of the window's begin.
    message : str
        The finding in words.

    """

    column: str
    test: str
    effect: float
    p: float
    severity: Severity = "ok"
    since: str | None = None
    message: str = ""

    def __post_init__(self) -> None:
        """Refuse what no page could show."""
        if self.severity not in ("ok", "notice", "alarm"):
            raise ValueError(f"severity is {self.severity!r}; allowed: ok, notice, alarm")
        if not (0 <= self.effect <= 1 and 0 <= self.p <= 1):
            raise ValueError(f"effect {self.effect!r} and p {self.p!r} must lie from 0 to 1")


@dataclass(frozen=True)
class Findings:
    """All that a monitor looked at, unremarkable columns included."""

    findings: tuple[Finding, ...] = ()
    messages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no finding."""
        for finding in self.findings:
            if not isinstance(finding, Finding):
                raise TypeError(f"{finding!r} is no lockgate.Finding")
