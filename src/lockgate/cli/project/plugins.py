"""``lockgate plugins``."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

__all__ = ["command"]

LISTENER = "listener"


@click.command("plugins")
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(kind: str | None, name: str | None, as_json: bool) -> int:
    """List the installed plugins: all, of one KIND, or one by NAME with its settings.

    \b
    lockgate plugins
    lockgate plugins compressor
    lockgate plugins compressor prune

    Each one is imported to see that it works; broken ones are named, with the
    distribution to blame, and the exit code is 3.
    """
    from lockgate.contract.kinds import KINDS
    from lockgate.errors import UsageError, nearest
    from lockgate.plugins.host.catalogue import Catalogue

    kinds = [*(row.name for row in KINDS), LISTENER]
    if kind is not None and kind not in kinds:
        raise UsageError(f"no kind {kind!r}{nearest(kind, kinds)}; kinds: {', '.join(kinds)}")
    catalogue = Catalogue.installed()
    if kind not in (None, LISTENER) and name is not None:
        catalogue.find(kind, name)
    rows = [
        _describe_plugin(catalogue, entry)
        for entry in catalogue
        if kind in (None, entry.kind or LISTENER) and (name is None or entry.name == name)
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        _print(rows, details=name is not None)
    return 3 if any(row["error"] for row in rows) else 0


def _describe_plugin(catalogue: Any, entry: Any) -> dict[str, Any]:
    """Describe one plugin; import it to do so."""
    from lockgate.errors import LockgateError

    row: dict[str, Any] = {
        "kind": entry.kind or LISTENER,
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "summary": "",
        "settings": [],
        "error": None,
    }
    try:
        if not catalogue.allows(entry):
            return row | {"summary": "not on the allow list; not imported"}
        if entry.kind:
            catalogue.find(entry.kind, entry.name)
        cls = entry.load()
    except LockgateError as error:
        return row | {"error": str(error)}
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    return row | {"summary": summary, "settings": _describe_settings(cls)}


def _describe_settings(cls: type) -> list[dict[str, Any]]:
    from lockgate.contract.settings import defaults, settings_of

    default_values = defaults(cls)
    return [
        {
            "name": name,
            "default": default_values.get(name, "(must be set)"),
            "allowed": rule.describe(hint),
            "help": rule.help,
        }
        for name, (hint, rule) in settings_of(cls).items()
        if not dataclasses.is_dataclass(hint)
    ]


def _print(rows: list[dict[str, Any]], *, details: bool) -> None:
    from lockgate.cli.terminal.text import align_columns
    from lockgate.contract.kinds import KINDS

    for kind in [*KINDS, None]:
        label = kind.name if kind else LISTENER
        matching_rows = [row for row in rows if row["kind"] == label]
        if not matching_rows:
            continue
        click.secho(f"{label}: {kind.summary if kind else 'Told of events.'}", bold=True)
        cells = [
            [row["name"], f"{row['distribution']} {row['version']}", row["error"] or row["summary"]]
            for row in matching_rows
        ]
        for row, line in zip(matching_rows, align_columns(cells, indent=2), strict=True):
            click.secho(line, fg="red" if row["error"] else None)
        if details:
            for row in matching_rows:
                settings = [
                    [s["name"], f"= {s['default']!r}", s["allowed"], s["help"]]
                    for s in row["settings"]
                ]
                click.echo("\n".join(align_columns(settings, indent=6)))
        click.echo()
