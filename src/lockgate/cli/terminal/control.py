"""What the commands for a running server share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lockgate.deployment.control.client import ask

__all__ = ["directory_argument", "print_response"]

F = TypeVar("F", bound=Callable[..., Any])

directory_argument: Callable[[F], F] = click.argument(
    "directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)


def print_response(directory: Path, operation: str) -> int:
    """Ask the server that runs on a deployment directory, and print its response."""
    response = ask(directory, operation)
    response.pop("op", None)
    click.echo(json.dumps(response, indent=1))
    return 0
