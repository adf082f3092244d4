"""Draws plots as PNG files; the same plot gives the same bytes."""

from __future__ import annotations

import itertools
from pathlib import Path

from lockgate.contract.evaluation import Plot

__all__ = ["draw_plot"]

COLOURS = ("#1f6f8b", "#d1495b", "#8a9a5b", "#edae49", "#5c4b8a")


def draw_plot(plot: Plot, path: Path) -> None:
    """Draw a plot as a PNG file; no display is needed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if plot.diagonal:
        axes.axline((0, 0), slope=1, color="#bbbbbb", linewidth=1, linestyle="--", zorder=0)
    for series, colour in zip(plot.series, itertools.cycle(COLOURS), strict=False):
        if plot.kind == "bar":
            axes.barh(list(map(str, series.x)), series.y, color=colour, label=series.name)
        elif plot.kind == "scatter":
            axes.scatter(series.x, series.y, color=colour, s=14, label=series.name)
        else:
            marker = "o" if len(series.x) <= 20 else None
            axes.plot(series.x, series.y, color=colour, marker=marker, label=series.name)
    styles = itertools.cycle((":", "-."))
    for (name, x), colour, style in zip(plot.marks.items(), COLOURS[1:], styles, strict=False):
        axes.axvline(x, color=colour, linestyle=style, label=f"{name}: {x:.3g}")
    x_label, y_label = plot.x_label, plot.y_label
    if plot.kind == "bar":  # bars lie, so that long names have room
        x_label, y_label = y_label, x_label
        axes.invert_yaxis()
    axes.set(title=plot.title, xlabel=x_label, ylabel=y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee", zorder=0)
    axes.set_axisbelow(True)
    if len(plot.series) + len(plot.marks) > 1:
        axes.legend(frameon=False)
    # Matplotlib's version in the metadata would change the bytes
    figure.savefig(path, metadata={"Software": None})
