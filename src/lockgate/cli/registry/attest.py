"""``lockgate attest``."""

from __future__ import annotations

import click

from lockgate.cli.terminal.repository import in_repository, opened, queueing

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
@queueing
@in_repository
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

    ledger = opened(root, queue=queue)
    name, number = address(version)
    with status_line() as said:
        found = attest(ledger, name, number, environment=environment, threads=threads, said=said)
    for file, words in found.differing.items():
        click.secho(f"{file} {words}", fg="red")
    if not dry:
        record_attestation(ledger, found)
    same = "the same bytes" if found.passed else f"{len(found.differing)} differences"
    click.echo(
        f"{name}@{found.record.version} built again from {str(found.record.commit)[:12]} in "
        f"{found.seconds:.1f} s: {same}"
    )
    return 0 if found.passed else 1
