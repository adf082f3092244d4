"""Drafts of events, and the Git objects that they become."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from lockgate.errors import LedgerError
from lockgate.registry.ledger.dates import DATE_STEP, too_far_ahead
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.signing import sign
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.transitions import attached_paths, changes
from lockgate.registry.ledger.trust import SIGNERS
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["Draft", "draft_of", "write_event"]

REQUESTED_FIELDS = (
    "op",
    "name",
    "stage",
    "before",
    "after",
    "digest",
    "gate",
    "attached",
    "override",
    "at",
    "reason",
)
"""Fields of an event that stay the same when it is written again on another tip."""


@dataclass(frozen=True)
class Draft:
    """An event before it has a place in the ledger.

    Attributes
    ----------
    fields : mapping
        Fields of the event: `op`, `name`, and the others that the operation needs.
    attached : tuple of bytes
        Contents of its attached files, in the order of `transitions.attached_paths`.

    """

    fields: Mapping[str, object]
    attached: tuple[bytes, ...] = ()


def draft_of(event: Event, after: State) -> Draft:
    """Return the draft of an event that was written before.

    Parameters
    ----------
    event : Event
        The event.
    after : State
        The ledger after it, with its attached files.

    """
    files = [after.trees.file(after.tree, path) or b"" for path in attached_paths(event)]
    return Draft({name: getattr(event, name) for name in REQUESTED_FIELDS}, tuple(files))


def write_event(
    repository: Repository, tip: str | None, draft: Draft, id: str, signers: Signers | None
) -> tuple[Event, str, Commit]:
    """Write the Git objects of an event; no reference points to them yet.

    Parameters
    ----------
    repository : Repository
        The repository.
    tip : str or None
        Commit of the event before; None for the first.
    draft : Draft
        The event.
    id : str
        Id of the event.
    signers : Signers or None
        The allowed signers; None where events need no signature.

    Returns
    -------
    tuple
        The event, the id of its commit, and the commit.

    Raises
    ------
    LedgerError
        If the event is not allowed after `tip`, or not with this user's key.

    """
    state = repository.state(tip)
    now = time.time()
    date = int(now)
    if tip is not None:
        last = repository.commit(tip).person.date
        if problem := too_far_ahead(last, now):
            raise LedgerError(f"nothing can follow the last event: {problem}; set the clock")
        date = max(date, last + DATE_STEP)
    person = repository.person(date)
    fields: dict[str, object] = {
        "actor": f"{person.name} <{person.email}>",
        "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        **draft.fields,
    }
    event = msgspec.convert(
        {"seq": state.head().seq + 1, "id": id} | _rename_fields(fields), type=Event
    )
    attached = dict(zip(attached_paths(event), draft.attached, strict=True))
    tree = repository.trees.apply_changes(state.tree, changes(state, event, attached))
    commit = Commit(tree, tip, person, event.message())
    if signature := sign(repository, commit.payload):
        commit = Commit(tree, tip, person, event.message(), signature)
    _check_allowed(repository, commit, event, signers)
    return event, repository.store.write("commit", commit.encode()), commit


def _check_allowed(
    repository: Repository, commit: Commit, event: Event, signers: Signers | None
) -> None:
    """Refuse an event whose signature `verify` would not accept."""
    if signers is None:
        return
    try:
        signers.check(commit, event)
    except InvalidSignature as error:
        key = repository.settings.get("user.signingkey", "none")
        raise LedgerError(
            f"{SIGNERS} of the main branch accepts only events signed by an allowed signer, and "
            f"{event.subject} is not: {error}; your key is {key[:80]} (git config gpg.format ssh, "
            "user.signingkey)"
        ) from None


def _rename_fields(fields: Mapping[str, object]) -> dict[str, object]:
    names = {"before": "from", "after": "to"}
    return {names.get(key, key): value for key, value in fields.items()}
