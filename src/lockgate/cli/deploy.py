"""``lockgate deploy``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("deploy")
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--version", "named", help="What to call it; by default the digest's beginning.")
@click.option("--stage", default="prod", show_default=True, help="Where it is served.")
@click.option("--reason", default="", help="Why, for the record.")
@click.option(
    "--as", "target", type=click.Choice(["systemd", "docker", "kubernetes"]),
    help="Also write what runs a server there.",
)  # fmt: skip
def command(
    bundle: Path, directory: Path, named: str | None, stage: str, reason: str, target: str | None
) -> int:
    """Serve BUNDLE from the deployment directory DIR, in place of what is served there.

    \b
    lockgate deploy bundle /srv/churn --version 1.4.0
    lockgate deploy bundle /srv/churn --stage canary      # as churn@canary, beside prod
    lockgate deploy bundle /srv/churn --as systemd        # writes a unit, too

    The bundle is copied, opened in a process of its own under limits, and only
    then pointed to. A server that runs on DIR follows within a second and fails
    no request; if it refuses the bundle, the pointer goes back and you hear why.
    """
    from lockgate.bundle.checking import check_bundle
    from lockgate.bundle.deployment import Deployment
    from lockgate.cli.following import followed

    deployment = Deployment(directory)
    before = deployment.pointer().seq if deployment.exists() else 0
    pointer = deployment.deploy(
        bundle, version=named, stage=stage, reason=reason, check=check_bundle
    )
    event = pointer.event
    if event is None or event.after is None or pointer.seq == before:
        click.echo("served already; nothing was changed")
    else:
        followed(deployment, pointer)
        click.echo(f"{event.name}@{event.after.version} is served in {event.stage} of {directory}")
        if event.before is not None:
            back = f"lockgate rollback --here {directory}"
            click.echo(f"before: {event.before.version}; back to it: {back}")
    names = sorted({slot.name for slot in pointer.slots})
    if len(names) > 1:
        click.echo(f"note: requests must name their model now: {', '.join(names)}")
    if target is not None:
        from lockgate.serving.targets import write_target

        for path in write_target(target, deployment):
            click.echo(f"written: {path}")
    return 0
