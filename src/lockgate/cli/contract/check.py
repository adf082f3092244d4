"""``lockgate contract check``."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from lockgate.cli.contract.source import contract_file, load, source_options
from lockgate.cli.terminal.examples import examples

__all__ = ["command"]


@click.command(
    "check",
    epilog=examples("""
        lockgate contract check
        lockgate contract check april.csv --contract churn.contract.yaml
    """),
)
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(
    data: Path | None,
    path: Path | None,
    kinds: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> int:
    """Check the project's table, or FILE, against the data contract.

    Violations are listed by column, with their count and some of the values; those
    of columns whose names indicate personal data are not shown.

    Exit codes: 0, the data hold the contract; 1, they violate it; 2, the data or
    the contract cannot be read.
    """
    from lockgate.data.data_contract.file import read_contract

    source = contract_file(data, path)
    contract = read_contract(source)
    table, violations = load(data, path, contract, kinds, settings)
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(v) for v in violations], indent=1))
    elif violations:
        click.echo(f"{len(table):,} rows checked; violations of {source}:")
        for violation in violations:
            click.secho(f"  {violation}", fg="red")
    else:
        columns = len(contract.columns)
        click.echo(f"{len(table):,} rows hold {source}: {columns} columns, no violation")
    return 1 if violations else 0
