"""Reads a ledger from its first event and names everything that is not as it must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lockgate.errors import LedgerError, LedgerTampered
from lockgate.registry.git.trees import Trees, object_id
from lockgate.registry.ledger.repository import Repository, event_of
from lockgate.registry.ledger.rules import attached_paths, changes
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.trust import Anchor, read_anchor, read_trusted_signers
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["Finding", "Verification", "verify"]

FUTURE_SECONDS = 24 * 3600
"""How far ahead of this machine's clock an event may be: bursts of events run ahead of clocks."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be.

    Attributes
    ----------
    commit : str
        Of which event.
    subject : str
        The event in a line, as far as it can be read.
    problem : str
        What is wrong.

    """

    commit: str
    subject: str
    problem: str


@dataclass
class Verification:
    """What came of it.

    Attributes
    ----------
    events : int
        How many were read.
    signed : int
        How many carry a signature of somebody who may sign them.
    demanded : bool
        Whether the main branch says who may sign.
    anchor : Anchor or None
        The event that the main branch vouches for.
    overrides : list of str
        Promotions against the gates: allowed, and to be seen.
    notes : list of str
        What is odd, and no harm: a date in the future, of a clock that was wrong.
    findings : list of Finding
        Everything that is wrong.

    """

    events: int = 0
    signed: int = 0
    demanded: bool = False
    anchor: Anchor | None = None
    overrides: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def verify(
    repository: Repository,
    tip: str | None,
    *,
    now: float,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Verification:
    """Go through all events, the oldest first, as the writer would have.

    Every event must follow from the one before: its number, its date, a tree
    that is what it says and no more, its verdict, and a signature where the main
    branch names signers. Events up to the anchor need no signature.

    Parameters
    ----------
    repository : Repository
        Where.
    tip : str or None
        Where to begin to go back from.
    now : float
        Seconds since 1970.
    progress : callable
        Told how many of how many are done.

    """
    result = Verification(anchor=read_anchor(repository))
    signers = read_trusted_signers(repository)
    result.demanded = signers is not None
    try:
        chain = list(repository.walk(tip))[::-1]
    except LedgerError as error:
        result.findings.append(Finding(tip or "", "", str(error)))
        return result
    reader = _Reader(repository, len(tip or "") or 40)
    anchored_seq = _check_anchor(result, chain)
    seen: dict[str, str] = {}
    before: tuple[Commit | None, State] = (None, reader.state(None))
    for number, (oid, commit) in enumerate(chain, 1):
        progress(number, len(chain))
        result.events += 1
        try:
            event = event_of(commit, oid)
        except LedgerTampered as error:
            result.findings.append(
                Finding(oid, commit.message.partition("\n")[0][:120], str(error))
            )
            before = (commit, reader.state(commit.tree))
            continue
        problems = [*_check_order(commit, before[0]), *reader.problems(event, commit, before[1])]
        if event.id in seen:
            problems.append(f"it is there twice, also as {seen[event.id][:12]}")
        seen[event.id] = oid
        problems += _check_signature(result, signers, commit, event, needed=number > anchored_seq)
        result.findings += [Finding(oid, event.subject, problem) for problem in problems]
        if event.override:
            result.overrides.append(f"{event.subject}, {event.at}, {event.actor}: {event.reason}")
        before = (commit, reader.state(commit.tree))
    if chain and chain[-1][1].person.date > now + FUTURE_SECONDS:
        date = _format_time(chain[-1][1].person.date)
        result.notes.append(f"the last event is dated {date}: somebody's clock was wrong")
    return result


def _check_anchor(result: Verification, chain: list[tuple[str, Commit]]) -> int:
    """Return up to which event the main branch vouches, and see that it is there."""
    anchor = result.anchor
    if anchor is None:
        return 0
    if anchor.seq < 1 or anchor.seq > len(chain) or chain[anchor.seq - 1][0] != anchor.commit:
        actual = f"{len(chain)} events" if anchor.seq > len(chain) else "another event"
        result.findings.append(
            Finding(
                anchor.commit,
                f"event {anchor.seq}",
                f"the main branch vouches for it, and the ledger has {actual} there: it was "
                "rewritten or cut off",
            )
        )
        return 0
    return anchor.seq


def _check_order(commit: Commit, before: Commit | None) -> list[str]:
    problems = []
    if before is not None and commit.person.date <= before.person.date:
        date, previous_date = (
            _format_time(event_commit.person.date) for event_commit in (commit, before)
        )
        problems.append(
            f"its date, {date}, is not after {previous_date}, that of the event before it"
        )
    return problems


def _format_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _check_signature(
    result: Verification, signers: Signers | None, commit: Commit, event: Event, *, needed: bool
) -> list[str]:
    if signers is None:
        return []
    try:
        signers.check(commit, event)
    except InvalidSignature as error:
        return [str(error)] if needed else []
    result.signed += 1
    return []


class _Reader:
    """Works out trees without writing any, and remembers those it read."""

    def __init__(self, repository: Repository, length: int) -> None:
        self.store, self.length = repository.store, length
        self.cache: dict[str, tuple[str, bytes]] = {}
        self.trees = Trees(self._read, self._write)

    def state(self, tree: str | None) -> State:
        return State(self.trees, tree)

    def problems(self, event: Event, commit: Commit, before: State) -> list[str]:
        """Say in which ways a commit is not what its event makes of the one before."""
        if len(self.cache) > 20_000:
            self.cache.clear()
        after = self.state(commit.tree)
        try:
            attached = {}
            for path in attached_paths(event):
                content = self.trees.file(after.tree, path)
                if content is None:
                    return [f"it brings no {path} along"]
                attached[path] = content
            expected = self.trees.apply_changes(before.tree, changes(before, event, attached))
        except LedgerError as error:
            return [str(error)]
        if expected != commit.tree:
            return ["its files are not what the event makes of those before it"]
        return []

    def _read(self, oid: str) -> tuple[str, bytes]:
        if oid not in self.cache:
            self.cache[oid] = self.store.read(oid)
        return self.cache[oid]

    def _write(self, kind: str, content: bytes) -> str:
        oid = object_id(kind, content, length=self.length)
        self.cache[oid] = (kind, content)
        return oid
