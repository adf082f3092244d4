"""Where a command's log lines go: standard error, each with its stage."""

from __future__ import annotations

import logging
import sys

import click

__all__ = ["to_terminal"]


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stage = record.name.rpartition(".")[2]
        mark = ""
        if record.levelno >= logging.WARNING:
            mark = click.style(
                "note: " if record.levelno < logging.ERROR else "error: ", fg="yellow"
            )
        return f"  {click.style(stage, dim=True)}  {mark}{record.getMessage()}"


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]  # generic in stubs only
    """Writes above a progress bar, not through it."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        bars = sys.modules.get("tqdm")
        if bars is not None:
            bars.tqdm.write(text, file=sys.stderr)
        else:
            click.echo(text, err=True)


def to_terminal() -> None:
    """Send lockgate's messages to standard error."""
    root = logging.getLogger("lockgate")
    handler = _Stderr()
    handler.setFormatter(_Lines())
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False
