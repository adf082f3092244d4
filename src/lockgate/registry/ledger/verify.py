"""Verifies a ledger from its first event and reports every problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lockgate.errors import LedgerError, LedgerTampered
from lockgate.registry.ledger.dates import format_date, too_far_ahead
from lockgate.registry.ledger.fetch_times import FetchTimes
from lockgate.registry.ledger.policy_history import PolicyHistory
from lockgate.registry.ledger.reader import EventReader
from lockgate.registry.ledger.repository import Repository, event_of
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.trust import Anchor, anchored_after, read_anchor, read_trusted_signers
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["Problem", "Verification", "verify"]


@dataclass(frozen=True)
class Problem:
    """A problem with an event.

    Attributes
    ----------
    commit : str
        Commit of the event.
    subject : str
        The event in one line, as far as it can be read.
    problem : str
        Description of the problem.

    """

    commit: str
    subject: str
    problem: str


@dataclass
class Verification:
    """The result of verifying a ledger.

    Attributes
    ----------
    events : int
        Number of events.
    signed : int
        Number of events with a valid signature of an allowed signer.
    demanded : bool
        Whether signatures are required, as the main branch lists allowed signers.
    anchor : Anchor or None
        The event up to which the main branch trusts the ledger.
    overrides : list of str
        Promotions that overrode the gates: allowed, and listed.
    findings : list of Problem
        All problems.

    """

    events: int = 0
    signed: int = 0
    demanded: bool = False
    anchor: Anchor | None = None
    overrides: list[str] = field(default_factory=list)
    findings: list[Problem] = field(default_factory=list)


def verify(
    repository: Repository,
    tip: str | None,
    *,
    now: float,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Verification:
    """Check all events, oldest first, by the rules of the writer.

    Every event must follow from the one before: its number, its date, exactly the
    files that it changes, its verdict, a policy that the main branch had at the time,
    and a signature where the main branch lists allowed signers. Events up to the
    anchor need neither signature nor policy. An event that this clone did not have at an
    earlier fetch counts as written after it, whatever its date.

    Parameters
    ----------
    repository : Repository
        The repository with the ledger.
    tip : str or None
        Commit of the last event.
    now : float
        Current time in seconds since 1970.
    progress : callable
        Called with the number of the current event and the number of events.

    """
    result = Verification(anchor=read_anchor(repository))
    signers = read_trusted_signers(repository)
    result.demanded = signers is not None
    try:
        chain = list(repository.walk(tip))[::-1]
    except LedgerError as error:
        result.findings.append(Problem(tip or "", "", str(error)))
        return result
    reader = EventReader(repository, len(tip or "") or 40)
    anchored_seq = _check_anchor(result, chain)
    policies, times = PolicyHistory(repository), FetchTimes(repository.folder)
    anchor_time = anchored_after(repository) if anchored_seq else 0
    seen: dict[str, str] = {}
    freshness = _Freshness()
    before: tuple[Commit | None, State] = (None, reader.state(None))
    for number, (oid, commit) in enumerate(chain, 1):
        progress(number, len(chain))
        result.events += 1
        try:
            event = event_of(commit, oid)
        except LedgerTampered as error:
            result.findings.append(
                Problem(oid, commit.message.partition("\n")[0][:120], str(error))
            )
            before = (commit, reader.state(commit.tree))
            continue
        problems = [*_check_order(commit, before[0], now)]
        problems += reader.problems(event, commit, before[1])
        if event.id in seen:
            problems.append(f"it is duplicated, also as {seen[event.id][:12]}")
        seen[event.id] = oid
        needed = number > anchored_seq
        stale = freshness.problem(event)
        problems += [stale] if stale and needed else []
        after = max(times.written_after(event.seq), anchor_time if needed else 0)
        problems += _check_signature(result, signers, commit, event, after=after, needed=needed)
        if needed:
            problem = policies.problem(reader.state(commit.tree), event, commit, after=after)
            problems += [] if problem is None else [problem]
        result.findings += [Problem(oid, event.subject, problem) for problem in problems]
        if event.override:
            result.overrides.append(f"{event.subject}, {event.at}, {event.actor}: {event.reason}")
        before = (commit, reader.state(commit.tree))
    try:  # what events produce is computed: their files may be missing all the same
        repository.trees.check(before[1].tree)
    except LedgerError as error:
        result.findings.append(Problem(str(tip), "the files after the last event", str(error)))
    return result


@dataclass
class _Freshness:
    """Finds promotions on verdicts that are older than what was in the stage meanwhile."""

    placed: dict[tuple[str, str], int] = field(default_factory=dict)
    judged: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def problem(self, event: Event) -> str:
        """Return what is wrong with an event, which follows those before; empty if nothing is."""
        if event.stage is None:
            return ""
        stage, verdict = (event.name, event.stage), (event.name, event.stage, str(event.gate))
        problem = ""
        if event.op == "gate":
            self.judged[verdict] = event.seq
        older = self.judged.get(verdict, 0) < self.placed.get(stage, 0)
        if event.op == "promote" and not event.override and older:
            problem = "its verdict is older than the version that was put into the stage since"
        if event.op in ("promote", "rollback"):
            self.placed[stage] = event.seq
        return problem


def _check_anchor(result: Verification, chain: list[tuple[str, Commit]]) -> int:
    """Return the number of the anchor's event; 0 where it is missing from the ledger."""
    anchor = result.anchor
    if anchor is None:
        return 0
    if anchor.seq < 1 or anchor.seq > len(chain) or chain[anchor.seq - 1][0] != anchor.commit:
        actual = f"{len(chain)} events" if anchor.seq > len(chain) else "another event"
        result.findings.append(
            Problem(
                anchor.commit,
                f"event {anchor.seq}",
                f"the anchor of the main branch names it, and the ledger has {actual} there: it "
                "was rewritten or cut off",
            )
        )
        return 0
    return anchor.seq


def _check_order(commit: Commit, before: Commit | None, now: float) -> list[str]:
    problem = too_far_ahead(commit.person.date, now)
    problems = [] if problem is None else [problem]
    if before is not None and commit.person.date <= before.person.date:
        date, previous_date = (
            format_date(event_commit.person.date) for event_commit in (commit, before)
        )
        problems.append(
            f"its date {date} is not after {previous_date}, the date of the event before"
        )
    return problems


def _check_signature(
    result: Verification,
    signers: Signers | None,
    commit: Commit,
    event: Event,
    *,
    after: int,
    needed: bool,
) -> list[str]:
    if signers is None:
        return []
    try:
        signers.check(commit, event, now=max(commit.person.date, after))
    except InvalidSignature as error:
        return [str(error)] if needed else []
    result.signed += 1
    return []
