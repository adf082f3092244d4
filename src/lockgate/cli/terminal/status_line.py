"""Shows the current operation on one line of a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click

from lockgate.data.io.visible import visible

__all__ = ["status_line"]


@contextlib.contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that replaces the line shown; the line is erased at the end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show_status(message: str) -> None:
        click.echo(f"\r\033[K{visible(message)[:100]}", nl=False, err=True)

    try:
        yield show_status
    finally:
        click.echo("\r\033[K", nl=False, err=True)
