"""Says on one line of a terminal what is being done."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click

__all__ = ["status_line"]


@contextlib.contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Give a function that shows a line in place of the one before; nothing stays of it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show_status(message: str) -> None:
        click.echo(f"\r\033[K{message[:100]}", nl=False, err=True)

    try:
        yield show_status
    finally:
        click.echo("\r\033[K", nl=False, err=True)
