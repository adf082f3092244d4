"""``lockgate show``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]


@click.command("show")
@click.argument("overrides", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--changed", is_flag=True, help="Only what is not a plugin's own default.")
def command(overrides: tuple[str, ...], as_json: bool, changed: bool) -> None:
    """Show every parameter, its value, and where the value comes from.

    \b
    lockgate show
    lockgate show experiment=spend model.linear.ridge=false

    Values of params.yaml that differ from what would be composed now are marked:
    they come from other overrides, or were edited by hand.
    """
    from lockgate.cli.terminal.text import align_columns
    from lockgate.plugins.config.compose import compose_document
    from lockgate.plugins.config.origins import find_origins, flatten
    from lockgate.plugins.host.params_file import read_params

    root = Path.cwd()
    composed = flatten(compose_document(root, overrides))
    sources = find_origins(root, overrides)
    file = root / "params.yaml"
    current = flatten(read_params(file)) if file.is_file() else {}
    rows: list[dict[str, Any]] = []
    for key, value in composed.items():
        source = _find_source(key, sources)
        if changed and "default" in source:
            continue
        differs = key in current and current[key] != value
        rows.append(
            {"key": key, "value": value, "from": source}
            | ({"params.yaml": current[key]} if differs else {})
        )
    rows += [
        {"key": key, "value": None, "from": "only in params.yaml", "params.yaml": value}
        for key, value in current.items()
        if key not in composed
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    cells = [
        [
            row["key"],
            _format_value(row["value"]),
            row["from"]
            + (
                f"  (params.yaml: {_format_value(row['params.yaml'])})"
                if "params.yaml" in row
                else ""
            ),
        ]
        for row in rows
    ]
    click.echo("\n".join(align_columns(cells)))


def _find_source(key: str, sources: dict[str, str]) -> str:
    """Find the origin of a key, or of the nearest one above it."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        source = sources.get(".".join(parts[:length]))
        if source is not None:
            return source
    return "lockgate's default"


def _format_value(value: Any) -> str:
    return (
        "-"
        if value is None
        else json.dumps(value)
        if isinstance(value, (list, dict))
        else str(value)
    )
