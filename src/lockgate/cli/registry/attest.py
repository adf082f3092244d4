"""``lockgate attest``."""

from __future__ import annotations

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import open_ledger, queue_option, repository_option
from lockgate.cli.terminal.status_line import status_line
from lockgate.registry.attest.attest import attest
from lockgate.registry.versioning import parse_reference

__all__ = ["command"]


@click.command(
    "attest",
    epilog=examples("""
        lockgate attest fraud@1.4.0
        lockgate attest fraud --threads 1
        lockgate attest fraud --environment recorded     # installs the recorded versions
    """),
)
@click.argument("version", metavar="NAME[@VERSION]")
@click.option(
    "--environment",
    default="here",
    show_default=True,
    type=click.Choice(["here", "recorded"]),
    help="Use the packages installed here, or install the recorded versions.",
)
@click.option(
    "--threads",
    default=0,
    type=click.IntRange(0, 1024),
    help="Threads for training; 0 uses the project's setting.",
    show_default=True,
)
@click.option("--dry", is_flag=True, help="Do not record the result.")
@queue_option
@repository_option
def command(version: str, environment: str, threads: int, dry: bool, queue: bool, root: str) -> int:
    """Rebuild a version from its commit, and compare the bundles byte for byte.

    The commit is cloned into a temporary directory, its data are pulled with DVC,
    and the whole pipeline runs. The result is recorded in the ledger, where the
    gate `attested` reads it. Bytes may differ on another type of processor for
    some linear models (BLAS), and for loaders that query a changing database.

    Exit codes: 0, the bundles are identical; 1, a file differs.
    """
    ledger = open_ledger(root, queue=queue)
    name, number = parse_reference(version)
    with status_line() as on_status:
        attestation = attest(
            name,
            number,
            ledger=ledger,
            environment=environment,
            threads=threads,
            dry=dry,
            on_status=on_status,
        )
    for file, difference in attestation.differing.items():
        click.secho(f"{file} {difference}", fg="red")
    differing = len(attestation.differing)
    outcome = "identical" if attestation.passed else f"{differing} files differ"
    record = attestation.record
    click.echo(
        f"{name}@{record.version} rebuilt from {str(record.commit)[:12]} in "
        f"{attestation.seconds:.1f} s: {outcome}"
    )
    return 0 if attestation.passed else 1
