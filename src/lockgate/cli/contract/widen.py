"""``lockgate contract widen``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.contract.source import contract_file, load, source_options
from lockgate.cli.terminal.examples import examples

__all__ = ["command"]


@click.command(
    "widen",
    epilog=examples("""
        lockgate contract widen --dry-run
        lockgate contract widen april.csv --contract churn.contract.yaml
    """),
)
@source_options
@click.option("--dry-run", is_flag=True, help="Only show the change; write nothing.")
def command(
    data: Path | None,
    path: Path | None,
    kinds: tuple[str, ...],
    settings: tuple[str, ...],
    dry_run: bool,
) -> int:
    """Widen the data contract until the project's table, or FILE, holds it.

    The change is shown as a diff: bounds are rounded outwards, shares of missing
    cells get the margin of `infer`; categories and columns are added. What no
    margin helps is dropped, and named: a value that occurs twice ends `unique`, an
    absent column becomes `optional`. A column of another kind is an error, as that would be another
    contract. Comments in the file are not kept; the field `description` is.

    Exit codes: 0, the contract holds now, or already did; 2, it cannot be widened.
    """
    from lockgate.data.data_contract.file import contract_diff, read_contract, write_contract
    from lockgate.data.data_contract.inference import widen_contract

    target = contract_file(data, path)
    contract = read_contract(target)
    table, violations = load(data, path, contract, kinds, settings)
    wider = widen_contract(contract, table, violations)
    if wider == contract:
        click.echo(f"{target} is wide enough: {len(table):,} rows hold it")
        return 0
    click.echo(contract_diff(target, wider))
    for name, rule in contract.columns.items():
        if rule.unique and not wider.columns[name].unique:
            click.echo(f"dropped: values of {name} need no longer be unique")
        if wider.columns[name].optional and not rule.optional:
            click.echo(f"dropped: column {name} may be absent")
    if dry_run:
        click.echo(f"{target} was not changed (--dry-run)")
    else:
        write_contract(target, wider)
        click.echo(f"written: {target}; review the change, and commit it")
    return 0
