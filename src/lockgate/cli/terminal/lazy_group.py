"""A group whose subcommands are imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from lockgate.suggestions import nearest

__all__ = ["LazyGroup", "commands_of"]


def commands_of(package: str, summaries: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return module and summary of each command of a package of `lockgate.cli`, by its name."""
    return {
        name: (f"lockgate.cli.{package}.{name}", summary) for name, summary in summaries.items()
    }


class LazyGroup(click.Group):
    """A group of commands by sections; importing all would make each as slow as the slowest.

    Parameters
    ----------
    sections : mapping of str to mapping
        Module and summary of each command, by its name, by the title of its section.
    unlisted : mapping of str to str
        Module of each command that help leaves out, as files call it and people do not.

    """

    def __init__(
        self,
        *args: Any,
        sections: Mapping[str, Mapping[str, tuple[str, str]]],
        unlisted: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.sections, self.unlisted = sections, unlisted or {}
        self.modules = {
            name: module for names in sections.values() for name, (module, _) in names.items()
        }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands, in the order of the sections."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; None for an unknown name."""
        path = self.modules.get(name) or self.unlisted.get(name)
        if path is None:
            return None
        command: click.Command = importlib.import_module(path).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line; suggest a similar name for an unknown one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            message = f"unknown command {args[0]!r}{nearest(args[0], self.modules)}"
            raise click.UsageError(message, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, from the table: no subcommand is imported."""
        width = max(map(len, self.modules))
        for title, names in self.sections.items():
            with formatter.section(title):
                rows = [(name.ljust(width), summary) for name, (_, summary) in names.items()]
                formatter.write_dl(rows)
