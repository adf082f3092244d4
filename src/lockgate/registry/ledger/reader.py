"""Checks events by the rules of the writer: what each must make of the state before it."""

from __future__ import annotations

from datetime import datetime

from lockgate.errors import LedgerError
from lockgate.registry.git.trees import Trees, object_id
from lockgate.registry.ledger.dates import AHEAD_SECONDS, format_date
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.transitions import attached_paths, changes
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event

__all__ = ["EventReader"]


class EventReader:
    """Computes the tree that each event makes, without writing any.

    Parameters
    ----------
    repository : Repository
        The repository with the ledger.
    length : int
        Digits of its object ids: 40, or 64 for SHA-256.

    """

    def __init__(self, repository: Repository, length: int) -> None:
        self.store, self.length = repository.store, length
        self.cache: dict[str, tuple[str, bytes]] = {}
        self.trees = Trees(self._read, self._write)

    def state(self, tree: str | None) -> State:
        """Return the state of the ledger with these files."""
        return State(self.trees, tree)

    def problems(self, event: Event, commit: Commit, before: State) -> list[str]:
        """Return how a commit differs from what its event makes of the state before."""
        if len(self.cache) > 20_000:  # bounds the memory for a long ledger
            self.cache.clear()
        after = self.state(commit.tree)
        try:
            attached = {}
            for path in attached_paths(event):
                content = self.trees.file(after.tree, path)
                if content is None:
                    return [f"it does not include {path}"]
                attached[path] = content
            expected = self.trees.apply_changes(before.tree, changes(before, event, attached))
        except LedgerError as error:
            return [str(error)]
        if expected != commit.tree:
            return ["its files are not those that the event produces"]
        # what was queued is older than its commit; nothing is younger
        if datetime.fromisoformat(event.at).timestamp() > commit.person.date + AHEAD_SECONDS:
            return [f"its time {event.at} is after its date, {format_date(commit.person.date)}"]
        return []

    def _read(self, oid: str) -> tuple[str, bytes]:
        if oid not in self.cache:
            self.cache[oid] = self.store.read(oid)
        return self.cache[oid]

    def _write(self, kind: str, content: bytes) -> str:
        oid = object_id(kind, content, length=self.length)
        self.cache[oid] = (kind, content)
        return oid
