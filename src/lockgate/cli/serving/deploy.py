"""``lockgate deploy``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import repository_option
from lockgate.data.io.visible import visible
from lockgate.deployment.deploy import DeployResult, deploy, follow_ledger
from lockgate.deployment.directory import Deployment
from lockgate.deployment.targets.write import write_target
from lockgate.errors import UsageError

__all__ = ["command"]


@click.command(
    "deploy",
    epilog=examples("""
        lockgate deploy fraud@prod /srv/fraud --follow    # stays in step with the ledger
        lockgate deploy bundle /srv/churn --version 1.4.0
        lockgate deploy bundle /srv/churn --stage canary  # as churn@canary, beside prod
        lockgate deploy bundle /srv/churn --as systemd    # also writes a unit file
    """),
)
@click.argument("source", metavar="BUNDLE|NAME@STAGE")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--version", "named", help="Version of a BUNDLE.", show_default="the beginning of its digest"
)
@click.option("--stage", default="prod", show_default=True, help="Stage of a BUNDLE.")
@click.option("--reason", default="", help="Reason, for the record.")
@click.option(
    "--follow", is_flag=True, help="Keep running, and deploy NAME@STAGE again when it changes."
)
@click.option(
    "--every",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.2),
    metavar="SECONDS",
    help="Seconds between two fetches from the remote, with --follow.",
)
@click.option(
    "--as",
    "target",
    type=click.Choice(["systemd", "docker", "kubernetes"]),
    help="Also write the files to run a server there.",
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
    """Deploy a bundle, or the version that is in a stage, to the deployment directory DIR.

    The bundle is copied and first opened in a process with limited resources. A
    server that runs on DIR switches within a second and fails no request; if it
    rejects the bundle, the deployment is reverted and the reason is printed.
    NAME@STAGE is read from the ledger of the Git repository, whose signed events
    and verdict are stored beside the bundle: `lockgate serve --require-verdict`
    checks them.
    """
    if follow:
        if named is not None or reason:
            raise UsageError(
                "version and reason of NAME@STAGE come from the ledger: leave them out"
            )
        return _follow(source, directory, every, root)
    result = deploy(
        source,
        directory,
        version=named,
        stage=stage,
        reason=reason,
        ledger=root,
        on_warning=lambda message: click.echo(f"note: {message}", err=True),
    )
    _print(result, directory)
    deployment = Deployment(directory)
    names = sorted({slot.name for slot in deployment.pointer().slots})
    if len(names) > 1:
        click.echo(f"note: requests must now name their model: {', '.join(names)}")
    if target is not None:
        for path in write_target(target, deployment):
            click.echo(f"written: {path}")
    return 0


def _follow(source: str, directory: Path, every: float, root: str) -> int:
    click.echo(f"following {source}; stop with Ctrl-C", err=True)
    for result in follow_ledger(source, directory, ledger=root, every=every):
        _print(result, directory)
    return 0


def _print(result: DeployResult, directory: Path) -> None:
    if result.message:
        click.echo(visible(result.message, limit=None))
    if result.warning:
        click.echo(f"note: {visible(result.warning, limit=None)}", err=True)
    event = result.event
    if event is None or event.after is None:
        return
    click.echo(
        f"{event.name}@{event.after.version} is served in {event.stage} of {directory.absolute()}"
    )
    if event.before is not None and event.before.digest == event.after.digest:
        click.echo(
            f"before: {event.before.version}, the same bundle by another version: a rollback "
            "returns to the bundle before it"
        )
    elif event.before is not None:
        click.echo(
            f"before: {event.before.version}; to roll back: "
            f"lockgate rollback --here {directory.absolute()}"
        )
