"""Metrics and their changes as texts."""

from __future__ import annotations

from lockgate.contract.evaluation import Metric

__all__ = ["format_change", "format_metric", "format_number", "format_signed"]


def format_number(value: float) -> str:
    """Format a number to four significant digits, from 1,000 on to whole numbers."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_metric(metric: Metric) -> str:
    """Format an estimate with its interval, where it has one.

    Examples
    --------
    >>> format_metric(Metric(0.5, 0.25, 0.75))
    '0.5 (0.25 to 0.75)'

    """
    if metric.low is None or metric.high is None:
        return f"{metric.estimate:.4g}"
    return f"{metric.estimate:.4g} ({metric.low:.4g} to {metric.high:.4g})"


def format_signed(value: float) -> str:
    """Format a difference; zero has no sign."""
    return f"{value:+.3g}" if value else "0"


def format_change(change: Metric) -> str:
    """Format a change with its sign, and its interval where there is one.

    Examples
    --------
    >>> format_change(Metric(0.5, 0.25, 0.75)), format_change(Metric(0.0))
    ('+0.5 (+0.25 to +0.75)', '0')

    """
    text = format_signed(change.estimate)
    if change.low is None or change.high is None:
        return text
    return f"{text} ({format_signed(change.low)} to {format_signed(change.high)})"
