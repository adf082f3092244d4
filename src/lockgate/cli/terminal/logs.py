"""Writes log messages to standard error, each with its stage."""

from __future__ import annotations

import logging
import sys

import click

from lockgate.contract.secrets import hide_secrets

__all__ = ["log_to_terminal"]


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stage = record.name.rpartition(".")[2]
        prefix = ""
        if record.levelno >= logging.WARNING:
            prefix = click.style(
                "note: " if record.levelno < logging.ERROR else "error: ", fg="yellow"
            )
        message = hide_secrets(record.getMessage())
        return f"  {click.style(stage, dim=True)}  {prefix}{message}"


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in stubs only
    """Writes above a progress bar, not through it."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        tqdm_module = sys.modules.get("tqdm")
        if tqdm_module is not None:
            tqdm_module.tqdm.write(text, file=sys.stderr)
        else:
            click.echo(text, err=True)


def log_to_terminal() -> None:
    """Send lockgate's messages to standard error."""
    root = logging.getLogger("lockgate")
    handler = _StderrHandler()
    handler.setFormatter(_LineFormatter())
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False
