"""``lockgate contract infer``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.contract.source import contract_file, load, source_options
from lockgate.cli.terminal.examples import examples
from lockgate.errors import UsageError

__all__ = ["command"]


@click.command(
    "infer",
    epilog=examples("""
        lockgate contract infer
        lockgate contract infer march.csv --contract churn.contract.yaml --kind zip=category
    """),
)
@source_options
@click.option("--force", is_flag=True, help="Replace a contract that exists.")
def command(
    data: Path | None,
    path: Path | None,
    kinds: tuple[str, ...],
    settings: tuple[str, ...],
    force: bool,
) -> int:
    """Infer a data contract from the project's table, or from FILE, and write it.

    Read what it says before you commit it: it is inferred from these rows alone.
    A range is the observed one and half its width on either side, not beyond
    zero, rounded: it is meant for wrong units and codes like 9999; of dates, only
    the earliest is bounded. Ids are to be unique, and have no range. Columns without
    missing cells may have none; others half as many again and 1 %.
    Categories are listed where there are at most 50 and each occurs twice;
    those of personal data are not.
    """
    from lockgate.data.data_contract.file import write_contract
    from lockgate.data.data_contract.inference import infer_contract

    if data is not None and path is None:
        raise UsageError(f"--contract FILE is missing: the file to write, inferred from {data}")
    target = contract_file(data, path)
    if target.exists() and not force:
        raise UsageError(
            f"{target} exists: `lockgate contract widen` changes it, and --force replaces it"
        )
    table, _ = load(data, path, None, kinds, settings)
    contract = infer_contract(table)
    write_contract(target, contract)
    bounded = sum(
        rule.min is not None or rule.max is not None for rule in contract.columns.values()
    )
    listed = sum(bool(rule.values) for rule in contract.columns.values())
    click.echo(
        f"written: {target} ({len(contract.columns)} columns of {len(table):,} rows: "
        f"{bounded} with bounds, {listed} with their categories)"
    )
    click.echo("Next: read it, correct what is too narrow or too wide, and commit it")
    return 0
