"""``lockgate verify``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lockgate.cli.terminal.repository import fetched, in_repository

__all__ = ["command"]


@click.command("verify")
@click.option("--anchor", is_flag=True, help="Write .lockgate/anchor.json for the main branch.")
@click.option("--offline", is_flag=True, help="Do not ask the remote.")
@in_repository
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

    ledger = fetched(root, offline=offline)
    with tqdm(desc="events", unit="event", disable=None, leave=False) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        found = verify(ledger.repository, ledger.tip, now=time.time(), progress=progress)
    for one in found.findings:
        click.secho(f"{one.commit[:12]}  {one.subject}: {one.problem}", fg="red")
    for said in found.overrides:
        click.echo(f"against the gates: {said}")
    for said in found.notes:
        click.echo(f"note: {said}")
    signed = f"{found.signed} signed" if found.demanded else "nobody says who may sign"
    vouched = f"the main branch vouches for the first {found.anchor.seq}" if found.anchor else ""
    words = [f"{found.events} events", signed, *([vouched] if vouched else [])]
    click.echo(f"{', '.join(words)}: {len(found.findings) or 'nothing'} wrong")
    if anchor and ledger.repository.top == ledger.repository.folder:
        raise UsageError("a bare repository has no work tree; write the anchor in a clone")
    if anchor and not found.findings and ledger.tip is not None:
        place = Path(ledger.repository.top) / ANCHOR
        place.parent.mkdir(exist_ok=True)
        made = Anchor(ledger.state.head().seq, ledger.tip)
        place.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
        click.echo(f"written: {place}; commit it to the main branch")
    return 1 if found.findings else 0
