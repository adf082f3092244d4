"""``lockgate show``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.text import align_columns

if TYPE_CHECKING:
    from lockgate.pipeline.explain import ParameterOrigin

__all__ = ["command"]


@click.command(
    "show",
    epilog=examples("""
        lockgate show
        lockgate show --changed
        lockgate show experiment=spend model.linear.penalty=none
    """),
)
@click.argument("overrides", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.option("--changed", is_flag=True, help="Hide parameters at their default value.")
def command(overrides: tuple[str, ...], as_json: bool, changed: bool) -> None:
    """Show every parameter, its value, and where the value comes from.

    OVERRIDES are written KEY=VALUE, as for `lockgate run`; nothing is written. A
    value of params.yaml that differs is shown beside: it was composed with other
    overrides, or edited manually.
    """
    from lockgate.pipeline.explain import explain_parameters
    from lockgate.pipeline.project import find_project

    parameters = [
        parameter
        for parameter in explain_parameters(find_project(Path.cwd()), overrides)
        if parameter.differs or not (changed and parameter.is_default)
    ]
    if as_json:
        click.echo(json.dumps([parameter.as_dict() for parameter in parameters], indent=1))
    else:
        rows = [
            [parameter.key, _format_value(parameter.value), _describe_origin(parameter)]
            for parameter in parameters
        ]
        click.echo("\n".join(align_columns(rows)))


def _describe_origin(parameter: ParameterOrigin) -> str:
    if not parameter.differs:
        return parameter.origin
    return f"{parameter.origin}  (params.yaml: {_format_value(parameter.in_file)})"


def _format_value(value: Any) -> str:
    if value is None:
        return "-"
    return json.dumps(value) if isinstance(value, (list, dict)) else str(value)
