"""``lockgate gate``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.markdown import verdict_table
from lockgate.cli.terminal.repository import (
    open_ledger,
    print_queued,
    print_verdict,
    queue_option,
    repository_option,
)
from lockgate.cli.terminal.status_line import status_line
from lockgate.data.io.atomic import write_file
from lockgate.registry.versioning import parse_reference

__all__ = ["command"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command(
    "gate",
    epilog=examples("""
        lockgate gate fraud@1.4.0 prod
        lockgate gate fraud prod --data march.csv --markdown gates.md
    """),
)
@click.argument("version", metavar="NAME[@VERSION]")
@click.argument("stage")
@click.option(
    "--data",
    type=FILE,
    help="Labelled rows, CSV or Parquet.",
    show_default="the pipeline's test rows",
)
@click.option("--today", type=FILE, help="Recent rows without labels, for the gate `today`.")
@click.option(
    "--policy",
    type=FILE,
    help="File with other gates, to try them; only with --dry.",
    show_default="the main branch's",
)
@click.option("--dry", is_flag=True, help="Run the gates, but record no verdict.")
@click.option(
    "--markdown", type=OUTPUT, metavar="FILE", help="Also write the results as a Markdown table."
)
@click.option("--out", type=OUTPUT, metavar="FILE", help="Also write the verdict as JSON.")
@queue_option
@repository_option
def command(
    version: str,
    stage: str,
    data: Path | None,
    today: Path | None,
    policy: Path | None,
    dry: bool,
    markdown: Path | None,
    out: Path | None,
    queue: bool,
    root: str,
) -> int:
    """Run the gates of STAGE on a version: decide whether it may be promoted.

    What counts is the policy of the main branch, as it is committed there:
    .lockgate/policy.yaml, or else the gates of the project's params.yaml, which
    are chosen like every plugin, in conf/ (`gate: [signature, parity, no-worse]`).
    `lockgate policy` shows it. The verdict is recorded in the ledger; it is valid
    for this bundle, this stage, this policy and the incumbent, which is the
    version that is in the stage now. Without a VERSION, the newest is used.

    Exit codes: 0, all gates passed; 1, one failed.
    """
    name, number = parse_reference(version)
    with status_line() as on_status:
        ledger = open_ledger(root, queue=queue)
        record, verdict = ledger.gate(
            name,
            stage,
            version=number,
            data=data,
            today=today,
            policy=policy,
            dry=dry,
            on_status=on_status,
        )
    print_verdict(verdict, record.version)
    for path, text in ((markdown, verdict_table(verdict, record.version)), (out, verdict.encode())):
        if path is not None:
            write_file(path, text)
    print_queued(ledger)
    return 0 if verdict.passed else 1
