"""Requests to monitors, and their findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.contract.prediction import Output
from lockgate.contract.requests import Request
from lockgate.contract.tables import Schema, Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

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
    """Histogram of a column over fixed bins.

    Attributes
    ----------
    column : str
        Name of the column; ``(score)`` for the model's predictions, ``(score) TARGET`` of several.
    kind : {"ordered", "nominal"}
        Whether the bins have an order.
    edges : tuple of float
        Ordered: upper edges of all bins but the last, rising.
    categories : tuple of str
        Nominal: names of the bins.
    counts : tuple of int
        Ordered: missing values, then ``len(edges) + 1`` bins. Nominal: missing
        values, one per category, then all other values.
    values : {"number", "boolean", "date"}
        Ordered: what the edges measure; false and true are 0 and 1, dates days since 1970.

    """

    column: str
    kind: Literal["ordered", "nominal"]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    values: Literal["number", "boolean", "date"] = "number"

    @property
    def n(self) -> int:
        """Number of rows."""
        return sum(self.counts)

    @property
    def bins(self) -> int:
        """Number of bins, missing values and other categories included."""
        return len(self.edges if self.kind == "ordered" else self.categories) + 2


@dataclass(frozen=True)
class ReferenceCounts:
    """Histograms of a model's training data; part of the bundle.

    Attributes
    ----------
    columns : tuple of BinCounts
        One per feature.
    scores : tuple of BinCounts
        The model's predictions for rows that it was not fitted on, of each target; empty where
        they are not counted.
    n : int
        Number of rows.
    unread : tuple of BinCounts
        Columns of the loader's table that the model does not read, without those that have a role.

    """

    columns: tuple[BinCounts, ...]
    scores: tuple[BinCounts, ...] = ()
    n: int = 0
    unread: tuple[BinCounts, ...] = ()


@dataclass(frozen=True)
class MonitoringWindow:
    """The rows that a model received in a window of time.

    Attributes
    ----------
    counts : mapping of str to BinCounts
        Histograms by column, over the bins of the reference.
    n : int
        Number of rows.
    since, until : str or None
        ISO dates of the window [since, until); None without a time column.
    table : Table or None
        The rows themselves, where they are available, as the model takes them.
    outputs : Output or None
        The model's predictions for them.
    labels : ndarray or None
        Actual labels, shape (n,), or values of several targets, shape (n, targets); missing where
        not known yet.
    rows : DataFrame or None
        The rows of `table` with all columns of the loader's table, those that the model leaves out
        included.

    """

    counts: Mapping[str, BinCounts]
    n: int
    since: str | None = None
    until: str | None = None
    table: Table | None = None
    outputs: Output | None = None
    labels: np.ndarray | None = None
    rows: pd.DataFrame | None = None


@dataclass(frozen=True, kw_only=True)
class MonitorRequest(Request):
    """A window of rows to compare with the training data.

    Attributes
    ----------
    reference : ReferenceCounts
        Histograms of the training data.
    window : MonitoringWindow
        The rows that the model received.
    schema : Schema
        Columns of the model.

    """

    reference: ReferenceCounts
    window: MonitoringWindow
    schema: Schema


@dataclass(frozen=True)
class Finding:
    """Result of one test on one column.

    Attributes
    ----------
    column : str
        Name of the column.
    test : str
        Name of the test.
    effect : float
        Effect size, from 0 (no difference) to 1, as the test defines it.
    p : float
        p-value, before any correction for multiple tests.
    severity : {"ok", "notice", "alarm"}
        Notice: statistically significant, but below the effect size of an alarm.
    since : str or None
        ISO date on which the window begins.
    message : str
        The finding as a sentence.
    read : bool
        Whether the model reads the column.

    """

    column: str
    test: str
    effect: float
    p: float
    severity: Severity = "ok"
    since: str | None = None
    message: str = ""
    read: bool = True

    def __post_init__(self) -> None:
        """Reject values outside their range."""
        if self.severity not in ("ok", "notice", "alarm"):
            raise ValueError(f"severity is {self.severity!r}, expected ok, notice or alarm")
        if not (0 <= self.effect <= 1 and 0 <= self.p <= 1):
            raise ValueError(
                f"effect is {self.effect!r} and p is {self.p!r}, expected numbers from 0 to 1"
            )


@dataclass(frozen=True)
class Findings:
    """All findings of a monitor, those of unchanged columns included."""

    findings: tuple[Finding, ...] = ()
    messages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Reject anything but findings."""
        for finding in self.findings:
            if not isinstance(finding, Finding):
                raise TypeError(f"{finding!r} is not a lockgate.Finding")
