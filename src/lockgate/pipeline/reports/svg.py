"""Draws plots as SVG inside a page: sharp, in the page's colours, with values on hover."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import NamedTuple

from lockgate.contract.evaluation import Plot, Series

__all__ = ["svg_plot"]

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 14, 52
BAR, LABELS = 24, 190
"""Height of a bar, and the width of the names of bars."""

MOST_TARGETS = 120
"""Points of a line whose values are shown on hover; of more, as many evenly spread."""

MOST_POINTS, MOST_BARS = 2000, 100

LARGEST = 1e150
"""Numbers from which the lengths of axes cannot be computed."""

TICKS = 5
TEXT = 7.0
"""Width of a character, in pixels."""


class Axis(NamedTuple):
    """An axis: from numbers to pixels.

    Attributes
    ----------
    low, high : float
        Smallest and largest number shown.
    start, end : float
        Their positions in pixels.

    """

    low: float
    high: float
    start: float
    end: float

    def position(self, value: float) -> float:
        """Return the position of a number in pixels."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round numbers to label, some five."""
        step = _round_step((self.high - self.low) / TICKS)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def svg_plot(plot: Plot) -> str:
    """Return a plot as an SVG element; every text is escaped, and what is not finite left out."""
    if plot.kind == "bar":
        return _bars(plot)
    marks = {name: value for name, value in plot.marks.items() if abs(value) < LARGEST}
    series = tuple(_finite(entry) for entry in plot.series)
    return _lines(replace(plot, series=series, marks=marks))


def _finite(series: Series) -> Series:
    """Return the points that can be drawn, of very many some that are evenly spread."""
    points = [
        (x, y)
        for x, y in zip(series.x, series.y, strict=True)
        if abs(float(x)) < LARGEST and abs(y) < LARGEST  # false for NaN
    ]
    points = points[:: max(1, math.ceil(len(points) / MOST_POINTS))]
    return Series(series.name, tuple(x for x, _ in points), tuple(y for _, y in points))


def _lines(plot: Plot) -> str:
    """Return a plot of lines or points."""
    numbers = [[float(x) for x in series.x] for series in plot.series]
    xs = [x for row in numbers for x in row] + list(plot.marks.values())
    ys = [y for series in plot.series for y in series.y]
    if plot.diagonal:
        ys = [*ys, *xs]
    x_axis = _axis(xs, LEFT, WIDTH - RIGHT)
    y_axis = _axis(ys, HEIGHT - BOTTOM, TOP)
    parts = [*_grid(x_axis, y_axis), *_titles(plot.x_label, plot.y_label)]
    if plot.diagonal:
        ends = [max(x_axis.low, y_axis.low), min(x_axis.high, y_axis.high)]
        diagonal = " ".join(f"{x_axis.position(v):.1f},{y_axis.position(v):.1f}" for v in ends)
        parts.append(f'<polyline class="diagonal" points="{diagonal}"/>')
    for k, (series, row) in enumerate(zip(plot.series, numbers, strict=True)):
        points = [
            (x_axis.position(x), y_axis.position(y)) for x, y in zip(row, series.y, strict=True)
        ]
        if plot.kind == "line":
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline class="line c{k % 5}" points="{path}"/>')
        parts += _targets(plot, k, series, points)
    for name, value in plot.marks.items():
        x = x_axis.position(value)
        label = escape(f"{name}: {format_coordinate(value)}")
        parts.append(
            f'<path class="mark" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"><title>{label}</title></path>'
        )
    return _figure(plot, "".join(parts), HEIGHT)


def _targets(
    plot: Plot, k: int, series: Series, points: Sequence[tuple[float, float]]
) -> list[str]:
    """Return the points of a series, whose values are shown on hover."""
    seen = plot.kind == "scatter" or len(points) <= 20
    step = 1 if seen else max(1, math.ceil(len(points) / MOST_TARGETS))
    name = f"{series.name}: " if len(plot.series) > 1 else ""
    shape = f"point c{k % 5}" if seen else "target"
    return [
        f'<circle class="{shape}" cx="{x:.1f}" cy="{y:.1f}" r="{3.5 if seen else 7}"><title>'
        f"{escape(name + plot.x_label)} {escape(format_coordinate(series.x[i]))}, "
        f"{escape(plot.y_label)} {escape(format_coordinate(series.y[i]))}</title></circle>"
        for i, (x, y) in enumerate(points)
        if i % step == 0 or i == len(points) - 1
    ]


def _bars(plot: Plot) -> str:
    """Return a plot of bars, which lie so that long names have room."""
    entries = plot.series[:1]
    pairs = [(x, y) for s in entries for x, y in zip(s.x, s.y, strict=True) if abs(y) < LARGEST]
    series = Series(
        "", tuple(x for x, _ in pairs[:MOST_BARS]), tuple(y for _, y in pairs[:MOST_BARS])
    )
    height = TOP + BAR * len(series.x) + BOTTOM
    axis = _axis([0.0, *series.y], LABELS, WIDTH - RIGHT)
    parts = [_vertical(axis, tick, height) for tick in axis.ticks()]
    for k, (name, value) in enumerate(zip(map(str, series.x), series.y, strict=True)):
        low, high = sorted((axis.position(0.0), axis.position(value)))
        y = TOP + BAR * k
        shown = name if len(name) * TEXT <= LABELS - 12 else f"{name[: int(LABELS / TEXT) - 3]}…"
        title = escape(f"{name}: {format_coordinate(value)}")
        parts.append(
            f'<text class="end" x="{LABELS - 8}" y="{y + BAR / 2 + 4:.1f}">{escape(shown)}</text>'
            f'<rect class="bar c0" x="{low:.1f}" y="{y + 3}" width="{max(high - low, 1):.1f}" '
            f'height="{BAR - 6}"><title>{title}</title></rect>'
        )
    middle = (LABELS + WIDTH - RIGHT) / 2
    parts.append(
        f'<text class="middle" x="{middle}" y="{height - 12}">{escape(plot.y_label)}</text>'
    )
    return _figure(plot, "".join(parts), height)


def _figure(plot: Plot, inside: str, height: int) -> str:
    names = [series.name for series in plot.series]
    legend = "".join(
        f'<span class="key c{k % 5}">{escape(name)}</span>' for k, name in enumerate(names)
    )
    legend += "".join(
        f'<span class="key">{escape(name)}: {format_coordinate(value)}</span>'
        for name, value in plot.marks.items()
    )
    shown = f"<p>{legend}</p>" if len(names) + len(plot.marks) > 1 else ""
    title = escape(plot.title)
    return (
        f'<figure><figcaption>{title}</figcaption><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(plot.title, quote=True)}">{inside}</svg>{shown}</figure>'
    )


def _grid(x_axis: Axis, y_axis: Axis) -> list[str]:
    lines = [_vertical(x_axis, tick, HEIGHT) for tick in x_axis.ticks()]
    for tick in y_axis.ticks():
        y = y_axis.position(tick)
        lines.append(
            f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="end" x="{LEFT - 8}" y="{y + 4:.1f}">{format_coordinate(tick)}</text>'
        )
    return lines


def _vertical(axis: Axis, tick: float, height: int) -> str:
    x, bottom = axis.position(tick), height - BOTTOM
    return (
        f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        f'<text class="middle" x="{x:.1f}" y="{bottom + 18}">{format_coordinate(tick)}</text>'
    )


def _titles(x_label: str, y_label: str) -> list[str]:
    middle, center = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text class="middle" x="{middle}" y="{HEIGHT - 12}">{escape(x_label)}</text>',
        f'<text class="middle" transform="translate(14 {center}) rotate(-90)">'
        f"{escape(y_label)}</text>",
    ]


def _axis(values: Sequence[float], start: float, end: float) -> Axis:
    """Return an axis from a round number below all values to one above them."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-150):
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    step = _round_step((high - low) / TICKS) / 2
    return Axis(
        math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, end
    )


def _round_step(raw: float) -> float:
    """Return the 1, 2 or 5 times a power of ten that is at least as large."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= raw * (1 - 1e-9))


def format_coordinate(value: object) -> str:
    """Return a number of an axis, or a name, as a text."""
    if isinstance(value, float) and abs(value) >= 1e6:
        return f"{value:.3g}"
    if isinstance(value, float):
        return f"{value:,.10g}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
