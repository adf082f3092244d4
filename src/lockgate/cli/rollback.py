"""``lockgate rollback``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("rollback")
@click.argument("name", required=False)
@click.option(
    "--here", "directory", required=True, metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path), help="Deployment directory.",
)  # fmt: skip
@click.option("--stage", default="prod", show_default=True, help="Where it is served.")
@click.option("--to", metavar="VERSION", help="By default the one served before.")
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--history", is_flag=True, help="Only list what was done here.")
def command(
    name: str | None, directory: Path, stage: str, to: str | None, reason: str, history: bool
) -> int:
    """Serve an earlier version of NAME again; needs no network and no Git.

    \b
    lockgate rollback --here /srv/churn
    lockgate rollback churn --here /srv/churn --to 1.3.0 --reason "refunds doubled"
    lockgate rollback --here /srv/churn --history

    A running server follows within a second and fails no request.
    """
    from lockgate.bundle.checking import check_bundle
    from lockgate.bundle.deployment import Deployment
    from lockgate.cli.following import followed

    deployment = Deployment(directory)
    if history:
        deployment.pointer()  # says so where it is no deployment directory
        for event in deployment.history():
            before, after = (one.version if one else "-" for one in (event.before, event.after))
            why = f"  {event.reason}" if event.reason else ""
            what = f"{event.op} {event.name} {event.stage} {before} -> {after}"
            click.echo(f"{event.seq:4} {event.at[:19]}  {what}  {event.actor}{why}")
        return 0
    pointer = deployment.rollback(name, stage=stage, to=to, reason=reason, check=check_bundle)
    followed(deployment, pointer)
    event_ = pointer.event
    if event_ is not None and event_.after is not None and event_.before is not None:
        click.echo(
            f"{event_.name}@{event_.after.version} is served in {event_.stage} again, "
            f"instead of {event_.before.version}"
        )
    return 0
