"""``lockgate deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.terminal.repository import fetch_ledger, repository_option

if TYPE_CHECKING:
    from lockgate.deployment.directory import Deployment
    from lockgate.deployment.pointer import Pointer

__all__ = ["command"]


@click.command("deploy")
@click.argument("source", metavar="BUNDLE|NAME@STAGE")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--version", "named", help="What to call it; by default the digest's beginning.")
@click.option("--stage", default="prod", show_default=True, help="Where a BUNDLE is served.")
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--follow", is_flag=True, help="Go on, whenever the ledger changes.")
@click.option(
    "--every",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.2),
    metavar="SECONDS",
    help="How often --follow asks the remote.",
)
@click.option(
    "--as",
    "target",
    type=click.Choice(["systemd", "docker", "kubernetes"]),
    help="Also write what runs a server there.",
)
@repository_option
def command(
    source: str,
    directory: Path,
    named: str | None,
    stage: str,
    reason: str,
    follow: bool,
    every: float,
    target: str | None,
    root: str,
) -> int:
    """Serve a bundle, or what the ledger has in a stage, from the deployment directory DIR.

    \b
    lockgate deploy fraud@prod /srv/fraud --follow    # in step with the ledger
    lockgate deploy bundle /srv/churn --version 1.4.0
    lockgate deploy bundle /srv/churn --stage canary  # as churn@canary, beside prod
    lockgate deploy bundle /srv/churn --as systemd    # writes a unit, too

    The bundle is copied, opened in a process of its own under limits, and only
    then pointed to. A server that runs on DIR follows within a second and fails
    no request; if it refuses the bundle, the pointer goes back and you hear why.
    From the ledger, the signed events and the verdict are laid beside it: a
    server with --require-verdict demands them.
    """
    from lockgate.deployment.directory import Deployment
    from lockgate.errors import UsageError

    deployment = Deployment(directory)
    name, separator, stage_name = source.partition("@")
    if separator and not stage_name:
        raise UsageError(f"{source} names no stage; write e.g. {name}@prod")
    if separator and not Path(source).exists():
        if named is not None or reason:
            raise UsageError("version and reason of NAME@STAGE are the ledger's")
        _deploy_from_ledger(deployment, name, stage_name, root, every=every if follow else None)
    elif follow:
        raise UsageError("--follow follows a stage: lockgate deploy NAME@STAGE DIR --follow")
    else:
        _deploy_bundle(deployment, Path(source), named, stage, reason)
    names = sorted({slot.name for slot in deployment.pointer().slots})
    if len(names) > 1:
        click.echo(f"note: requests must name their model now: {', '.join(names)}")
    if target is not None:
        from lockgate.deployment.targets.write import write_target

        for path in write_target(target, deployment):
            click.echo(f"written: {path}")
    return 0


def _deploy_bundle(
    deployment: Deployment, bundle: Path, named: str | None, stage: str, reason: str
) -> None:
    from lockgate.errors import UsageError
    from lockgate.models.bundle.check import check_in_subprocess

    if not bundle.is_dir():
        raise UsageError(f"{bundle} is no folder; expected a bundle, or NAME@STAGE of the ledger")
    before = deployment.pointer().seq if deployment.exists() else 0
    pointer = deployment.deploy(
        bundle, version=named, stage=stage, reason=reason, check=check_in_subprocess
    )
    if pointer.seq == before:
        click.echo("served already; nothing was changed")
    else:
        _print_served(deployment, pointer)


def _deploy_from_ledger(
    deployment: Deployment, name: str, stage: str, root: str, *, every: float | None
) -> None:
    """Do it once, or for ever."""
    from lockgate.deployment.follow import deploy_stage, follow
    from lockgate.errors import BundleError, DeploymentError

    ledger = fetch_ledger(root)
    if every is None:
        pointer, message = deploy_stage(ledger, deployment, name, stage)
        click.echo(message)
        if pointer is not None:
            _print_served(deployment, pointer)
        return
    click.echo(f"following {name}@{stage}; stop with Ctrl-C", err=True)
    for pointer, message in follow(ledger, deployment.path, name, stage, every=every):
        click.echo(message)
        if pointer is not None:
            try:
                _print_served(deployment, pointer)
            except (BundleError, DeploymentError) as error:
                click.echo(f"not followed: {error}", err=True)


def _print_served(deployment: Deployment, pointer: Pointer) -> None:
    """Wait for the server, and say what is served."""
    from lockgate.deployment.activation import wait_until_served

    event = pointer.event
    if event is None:
        return
    if note := wait_until_served(deployment, pointer):
        click.echo(f"note: {note}", err=True)
    if event.after is None:
        return
    directory = deployment.path
    click.echo(f"{event.name}@{event.after.version} is served in {event.stage} of {directory}")
    if event.before is not None:
        click.echo(
            f"before: {event.before.version}; back to it: lockgate rollback --here {directory}"
        )
