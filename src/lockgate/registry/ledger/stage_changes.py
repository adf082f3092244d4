"""Changes of stages: each is of what the user was shown, and is shown to them in turn."""

from __future__ import annotations

from collections.abc import Callable

from lockgate.errors import LedgerError
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.queued import known_tip
from lockgate.registry.ledger.repository import LEDGER, Repository, event_of
from lockgate.registry.ledger.rules import Expectation, StageChanged
from lockgate.registry.ledger.seen import Seen, SeenStages, StageRecords
from lockgate.registry.ledger.state import StageRecord, State
from lockgate.registry.ledger.writer import Writer
from lockgate.registry.provenance.events import Event

__all__ = ["StageChanges"]


class StageChanges:
    """Writes events that change a stage, if it is as this clone last showed it.

    Parameters
    ----------
    repository : Repository
        The repository with the ledger.
    writer : Writer
        Writes the events.
    state : callable
        Returns the current state of the ledger.

    """

    def __init__(self, repository: Repository, writer: Writer, state: Callable[[], State]) -> None:
        self.repository, self.writer, self.state = repository, writer, state
        self._seen = SeenStages(repository.folder)

    def show(self, records: StageRecords, *, whole: str | None = None) -> None:
        """Record that a user is shown what is in stages, and decides on that.

        Parameters
        ----------
        records : mapping
            What is in the stages.
        whole : str, optional
            The model of which all stages are shown, the empty ones too; all models if it is empty.

        """
        self._seen.mark(records, whole=whole)

    def expectation(self, name: str, stage: str, version: str | None = None) -> Expectation:
        """Return what a stage must hold for a change: a version, or what was shown last."""
        if version is None and self.repository.store.ref(LEDGER) is None:
            self.writer.latest()  # a clone that has seen nothing yet
        shown, seen = self._seen.get(name, stage)
        if not shown:
            seen = Seen.of(self.state().stage(name, stage))
        return Expectation(version, seen, shown=shown)

    def check(self, expected: Expectation, name: str, stage: str) -> None:
        """Raise a `StageChanged` if something else is in a stage."""
        try:
            expected.check(self.state(), name, stage)
        except StageChanged as error:
            self.show({(name, stage): error.record})
            raise

    def write(
        self, draft: Callable[[State], Draft], name: str, stage: str
    ) -> tuple[Event, StageRecord | None]:
        """Write an event, and return it with what is in the stage after it.

        Raises
        ------
        LedgerConflict, RemoteUnavailable
            As `Writer.write` does.

        """
        try:
            event = self.writer.write(draft)
        except StageChanged as error:  # the message says what is there
            self.show({(name, stage): error.record})
            raise
        record = self._record_after(event)
        self.show({(name, stage): record})
        return event, record

    def _record_after(self, event: Event) -> StageRecord | None:
        """Return what an event left in its stage, even if later events changed it."""
        for oid, commit in self.repository.walk(known_tip(self.repository, self.writer.remote)):
            if event_of(commit, oid).id == event.id:
                return self.repository.state(oid).stage(event.name, str(event.stage))
        raise LedgerError(f"{event.subject} is not in this clone; run lockgate sync")
