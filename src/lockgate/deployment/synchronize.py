"""Synchronizes a clone's ledger with the remote, and with deployment directories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockgate.deployment.take_back import record_rollbacks
from lockgate.registry.api import Ledger
from lockgate.registry.provenance.events import Event
from lockgate.registry.sync import push_queued, repair_tags

__all__ = ["SyncResult", "sync"]


@dataclass(frozen=True)
class SyncResult:
    """What a synchronization did.

    Attributes
    ----------
    pushed, dropped : tuple of Event
        Events that were queued in this clone, and are shared or discarded now.
    recorded : tuple of Event
        Rollbacks of the deployment directory that are in the ledger now.
    repaired_tags : tuple of str
        Git tags for GTO that were missing.

    """

    pushed: tuple[Event, ...] = ()
    dropped: tuple[Event, ...] = ()
    recorded: tuple[Event, ...] = ()
    repaired_tags: tuple[str, ...] = ()


def sync(
    directory: str | Path | None = None, *, ledger: Ledger | str | Path = ".", drop: bool = False
) -> SyncResult:
    """Share the events that were queued in this clone, and record rollbacks made at a server.

    Parameters
    ----------
    directory : path-like, optional
        A deployment directory with rollbacks that the ledger does not have.
    ledger : Ledger or path-like
        The ledger, or a folder of its repository; by default the current one.
    drop : bool
        Discard the queued events instead of sharing them.

    Returns
    -------
    SyncResult
        What was done.

    Raises
    ------
    LedgerConflict
        If an event became impossible after the events of others.
    RemoteUnavailable
        If the remote cannot be reached.

    """
    ledger = Ledger.of(ledger)
    pushed, dropped = push_queued(ledger, drop=drop)
    recorded = [] if directory is None else record_rollbacks(ledger, Path(directory))
    return SyncResult(tuple(pushed), tuple(dropped), tuple(recorded), tuple(repair_tags(ledger)))
