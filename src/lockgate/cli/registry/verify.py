"""``lockgate verify``."""

from __future__ import annotations

import time

import click
from tqdm import tqdm

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import fetch_ledger, repository_option
from lockgate.data.io.visible import visible
from lockgate.errors import UsageError
from lockgate.registry.ledger.anchor import write_anchor
from lockgate.registry.ledger.verify import Problem, Verification, verify

__all__ = ["command"]


@click.command(
    "verify",
    epilog=examples("""
        lockgate verify
        lockgate verify --anchor && git add .lockgate && git commit -m "anchor"
    """),
)
@click.option("--anchor", is_flag=True, help="Write .lockgate/anchor.json for the main branch.")
@click.option(
    "--accept",
    is_flag=True,
    help="With --anchor: also where events cannot be trusted; who commits it vouches for them.",
)
@click.option("--offline", is_flag=True, help="Do not fetch from the remote.")
@repository_option
def command(anchor: bool, accept: bool, offline: bool, root: str) -> int:
    """Verify the whole ledger, and list every problem.

    Every event must follow from the previous one and be signed, if the main
    branch has .lockgate/allowed_signers. An anchor in the main branch records the
    last event: a ledger that was shortened or rewritten before it is detected, and
    the events up to it need neither signature nor policy any more. With --accept
    it is written in spite of problems, e.g. where signatures are demanded of a
    ledger that had none before: review them, and let another person review the
    commit.

    Exit codes: 0, no problems; 1, problems were found.
    """
    invalid: list[str] = []
    ledger = fetch_ledger(root, offline=offline, on_invalid=invalid.append)
    with tqdm(desc="events", unit="event", disable=None, leave=False) as bar:

        def progress(completed: int, total: int) -> None:
            bar.total = total
            bar.update(completed - bar.n)

        report = verify(ledger.repository, ledger.tip, now=time.time(), progress=progress)
    report.findings += [Problem("", "the shared ledger", problem) for problem in invalid]
    _print(report)
    if accept and not anchor:
        raise UsageError("--accept needs --anchor")
    if anchor and report.findings and not accept:
        click.echo("nothing is anchored: review the problems; --accept anchors in spite of them")
    if anchor and (accept or not report.findings):
        path = write_anchor(ledger)
        if path is not None:
            click.echo(f"written: {path}; commit it to the main branch")
    return 1 if report.findings else 0


def _print(report: Verification) -> None:
    for finding in report.findings:
        click.secho(
            visible(f"{finding.commit[:12]}  {finding.subject}: {finding.problem}", limit=None),
            fg="red",
        )
    for message in report.overrides:
        click.echo(f"overridden gates: {visible(message)}")
    parts = [f"{report.events} events"]
    parts.append(
        f"{report.signed} signed" if report.demanded else "no allowed signers are configured"
    )
    if report.anchor:
        parts.append(f"the main branch anchors the first {report.anchor.seq}")
    click.echo(f"{', '.join(parts)}: {len(report.findings) or 'no'} problems")
