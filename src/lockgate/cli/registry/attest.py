"""``lockgate attest``."""

from __future__ import annotations

import click

from lockgate.cli.terminal.repository import open_ledger, queue_option, repository_option

__all__ = ["command"]


@click.command("attest")
@click.argument("version", metavar="NAME[@VERSION]")
@click.option(
    "--environment",
    default="here",
    show_default=True,
    type=click.Choice(["here", "recorded"]),
    help="What is installed here, or a new one with the recorded versions.",
)
@click.option("--threads", default=0, type=click.IntRange(0, 1024), help="0: as the project says.")
@click.option("--dry", is_flag=True, help="Enter nothing.")
@queue_option
@repository_option
def command(version: str, environment: str, threads: int, dry: bool, queue: bool, root: str) -> int:
    """Build a version again from its commit, and compare the bundles byte for byte.

    \b
    lockgate attest fraud@1.4.0
    lockgate attest fraud --threads 1
    lockgate attest fraud --environment recorded     # installs the recorded versions

    The commit is cloned into a temporary directory, its data are got from DVC,
    and the pipeline runs without the run cache. What came of it is entered into
    the ledger, where the gate `attested` asks for it. It cannot hold on another
    kind of processor for some linear models (BLAS), and not for loaders that
    ask a database which changes. Exit code 1 if a file differs.
    """
    from lockgate.cli.terminal.status_line import status_line
    from lockgate.registry.attest.attest import attest, record_attestation
    from lockgate.registry.versioning import address

    ledger = open_ledger(root, queue=queue)
    name, number = address(version)
    with status_line() as on_status:
        attestation = attest(
            ledger, name, number, environment=environment, threads=threads, on_status=on_status
        )
    for file, difference in attestation.differing.items():
        click.secho(f"{file} {difference}", fg="red")
    if not dry:
        record_attestation(ledger, attestation)
    outcome = (
        "the same bytes" if attestation.passed else f"{len(attestation.differing)} differences"
    )
    click.echo(
        f"{name}@{attestation.record.version} built again from {str(attestation.record.commit)[:12]} in "
        f"{attestation.seconds:.1f} s: {outcome}"
    )
    return 0 if attestation.passed else 1
