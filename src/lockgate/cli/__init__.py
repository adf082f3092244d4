"""The command line: thin commands; start-up imports nothing heavy."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from lockgate.cli.commands import run_cli

    run_cli()
