"""``lockgate verify``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lockgate.cli.terminal.repository import fetch_ledger, repository_option

__all__ = ["command"]


@click.command("verify")
@click.option("--anchor", is_flag=True, help="Write .lockgate/anchor.json for the main branch.")
@click.option("--offline", is_flag=True, help="Do not ask the remote.")
@repository_option
def command(anchor: bool, offline: bool, root: str) -> int:
    """Read the whole ledger again, and name everything that is not as it must be.

    \b
    lockgate verify
    lockgate verify --anchor && git add .lockgate && git commit -m "anchor"

    Every event must follow from the one before and be signed, where the main
    branch has .lockgate/allowed_signers. An anchor in the main branch vouches for
    all events up to it: cutting the ledger off, or writing it anew, shows. Exit
    code 1 if anything is wrong.
    """
    import msgspec
    from tqdm import tqdm

    from lockgate.errors import UsageError
    from lockgate.registry.ledger.trust import ANCHOR, Anchor
    from lockgate.registry.ledger.verify import verify

    ledger = fetch_ledger(root, offline=offline)
    with tqdm(desc="events", unit="event", disable=None, leave=False) as bar:

        def progress(completed: int, total: int) -> None:
            bar.total = total
            bar.update(completed - bar.n)

        report = verify(ledger.repository, ledger.tip, now=time.time(), progress=progress)
    for finding in report.findings:
        click.secho(f"{finding.commit[:12]}  {finding.subject}: {finding.problem}", fg="red")
    for message in report.overrides:
        click.echo(f"against the gates: {message}")
    for message in report.notes:
        click.echo(f"note: {message}")
    signature_text = f"{report.signed} signed" if report.demanded else "nobody says who may sign"
    anchor_text = (
        f"the main branch vouches for the first {report.anchor.seq}" if report.anchor else ""
    )
    parts = [f"{report.events} events", signature_text, *([anchor_text] if anchor_text else [])]
    click.echo(f"{', '.join(parts)}: {len(report.findings) or 'nothing'} wrong")
    if anchor and ledger.repository.top == ledger.repository.folder:
        raise UsageError("a bare repository has no work tree; write the anchor in a clone")
    if anchor and not report.findings and ledger.tip is not None:
        path = Path(ledger.repository.top) / ANCHOR
        path.parent.mkdir(exist_ok=True)
        new_anchor = Anchor(ledger.state.head().seq, ledger.tip)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(new_anchor), indent=1) + b"\n")
        click.echo(f"written: {path}; commit it to the main branch")
    return 1 if report.findings else 0
