"""``lockgate gate``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.repository import (
    open_ledger,
    print_verdict,
    queue_option,
    repository_option,
)

__all__ = ["command"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("gate")
@click.argument("version", metavar="NAME[@VERSION]")
@click.argument("stage")
@click.option("--data", type=FILE, help="Rows with a known target, CSV or Parquet.")
@click.option("--today", type=FILE, help="Recent rows, for the gate `today`.")
@click.option("--params", type=FILE, help="File with the key gate:, instead of params.yaml.")
@click.option("--dry", is_flag=True, help="Ask the gates, and enter nothing.")
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the table, for a comment on a pull request.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the verdict.",
)
@queue_option
@repository_option
def command(
    version: str,
    stage: str,
    data: Path | None,
    today: Path | None,
    params: Path | None,
    dry: bool,
    markdown: Path | None,
    out: Path | None,
    queue: bool,
    root: str,
) -> int:
    """Ask the gates of STAGE whether a version may take the place of what is there.

    \b
    lockgate gate fraud@1.4.0 prod
    lockgate gate fraud prod --data march.csv --markdown gates.md

    Gates are chosen like every plugin, in conf/ (`gate: [signature, parity,
    no-worse]`), and may be kept to a stage (gate.signed.stages=prod). What they
    say is entered into the ledger, for exactly this bundle, stage and incumbent.
    Exit code 1 if one does not let it in.
    """
    from lockgate.cli.terminal.markdown import verdict_table
    from lockgate.cli.terminal.status_line import status_line
    from lockgate.data.io.atomic import write_file
    from lockgate.registry.gates.judge import judge
    from lockgate.registry.versioning import address

    ledger = open_ledger(root, queue=queue)
    ledger.writer.latest()
    name, number = address(version)
    with status_line() as on_status:
        record, verdict = judge(
            ledger,
            name,
            stage,
            version=number,
            data=data,
            today=today,
            params=params,
            on_status=on_status,
        )
    print_verdict(verdict, record.version)
    for path, text in ((markdown, verdict_table(verdict, record.version)), (out, verdict.encode())):
        if path is not None:
            write_file(path, text)
    if not dry:
        ledger.record(verdict, record.version)
    return 0 if verdict.passed else 1
