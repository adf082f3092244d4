"""``lockgate plugins``."""

from __future__ import annotations

import dataclasses
import json

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.text import align_columns
from lockgate.contract.kinds import KINDS
from lockgate.plugins.host.describe import LISTENER, PluginDescription, describe_plugins

__all__ = ["command"]


@click.command(
    "plugins",
    epilog=examples("""
        lockgate plugins
        lockgate plugins compressor
        lockgate plugins compressor prune
    """),
)
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(kind: str | None, name: str | None, as_json: bool) -> int:
    """List the installed plugins: all, those of a KIND, or one by NAME with its settings.

    Each plugin is imported to check that it works. One that does not is reported
    with the distribution that provides it.

    Exit codes: 0, all plugins work; 3, one does not.
    """
    plugins = describe_plugins(kind, name)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(plugin) for plugin in plugins], indent=1))
    else:
        _print(plugins, details=name is not None)
    return 3 if any(plugin.error for plugin in plugins) else 0


def _print(plugins: list[PluginDescription], *, details: bool) -> None:

    summaries = {kind.name: kind.summary for kind in KINDS} | {LISTENER: "Notified of events."}
    for kind, summary in summaries.items():
        of_kind = [plugin for plugin in plugins if plugin.kind == kind]
        if not of_kind:
            continue
        click.secho(f"{kind}: {summary}", bold=True)
        rows = [
            [plugin.name, f"{plugin.distribution} {plugin.version}", plugin.error or plugin.summary]
            for plugin in of_kind
        ]
        for plugin, line in zip(of_kind, align_columns(rows, indent=2), strict=True):
            click.secho(line, fg="red" if plugin.error else None)
        if details:
            for plugin in of_kind:
                settings = [
                    [setting.name, f"= {setting.default!r}", setting.allowed, setting.help]
                    for setting in plugin.settings
                ]
                click.echo("\n".join(align_columns(settings, indent=6)))
        click.echo()
