"""Which versions, stages and verdicts a ledger has, and what a promotion needs of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockgate.data.io.visible import visible
from lockgate.errors import GateRefused, LedgerConflict, LedgerError
from lockgate.registry.ledger.seen import Seen
from lockgate.registry.ledger.state import StageRecord, State, VersionRecord
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.slots import Slot
from lockgate.suggestions import nearest

__all__ = [
    "Expectation",
    "StageChanged",
    "check_fresh",
    "describe_stage",
    "find_usable_version",
    "find_version",
    "is_about",
    "require_current",
    "verdict_for",
]


class StageChanged(LedgerConflict):
    """A stage is not as it was shown, or as it was expected.

    Parameters
    ----------
    message : str
        What was expected, and what is there.
    record : StageRecord or None
        What is there.

    """

    def __init__(self, message: str, record: StageRecord | None) -> None:
        super().__init__(message)
        self.record = record


@dataclass(frozen=True)
class Expectation:
    """What must be in a stage for a change of it to be written.

    Attributes
    ----------
    version : str or None
        The version, or ``nothing``; None where the stage must be as it was seen.
    seen : Seen or None
        What was in the stage when the change was decided on; None where it was empty.
    shown : bool
        Whether a user was shown that; otherwise it is what the clone had.

    """

    version: str | None = None
    seen: Seen | None = None
    shown: bool = True

    def check(self, state: State, name: str, stage: str) -> None:
        """Raise a `StageChanged` if something else is in the stage."""
        if self.version is not None:
            expected = None if self.version == "nothing" else self.version
            require_current(state, name, stage, expected)
            return
        current = state.stage(name, stage)
        if self.seen != Seen.of(current):
            seen_version = "empty" if self.seen is None else self.seen.version
            moment = "you last saw it" if self.shown else "this clone last fetched"
            raise StageChanged(
                f"{name} in {stage} was changed: it was {seen_version} when {moment}, and is now "
                f"{describe_stage(current)}; nothing was changed: look at "
                f"`lockgate history {name} {stage}`, and repeat the command if it is still needed",
                current,
            )


def describe_stage(record: StageRecord | None) -> str:
    """Return what is in a stage as text, with who put it there and why."""
    if record is None:
        return "empty"
    reason = f" ({visible(record.reason)})" if record.reason else ""
    since = f"event {record.seq} at {record.at} by {visible(record.actor)}"
    return f"{record.slot.version}, since {since}{reason}"


def find_version(state: State, name: str, version: str | None) -> VersionRecord:
    """Return a version's record, by default of the newest that is not retired.

    Raises
    ------
    LedgerError
        If the model or the version is unknown; the message lists the known ones.

    """
    versions = state.versions(name)
    if not versions:
        names = state.names()
        raise LedgerError(
            f"no model {name[:80]!r} is registered{nearest(name, names)}; registered: "
            f"{', '.join(names[:20]) or 'none'}; to add one: lockgate register BUNDLE"
        )
    if version is None:
        remaining = [number for number in versions if not state.is_retired(name, number)]
        if not remaining:
            raise LedgerError(f"every version of {name} is retired")
        version = remaining[0]
    record = state.version(name, version) if version in versions else None
    if record is None:
        raise LedgerError(
            f"{name}@{version[:40]} is not registered{nearest(version, versions)}; available: "
            f"{', '.join(versions[:20])}"
        )
    return record


def find_usable_version(state: State, name: str, version: str | None) -> VersionRecord:
    """Return the record of a version that is not retired."""
    record = find_version(state, name, version)
    if state.is_retired(name, record.version):
        raise LedgerError(f"{name}@{record.version} is retired")
    return record


def require_current(
    state: State, name: str, stage: str, expected: str | None
) -> StageRecord | None:
    """Return what is in a stage, if it is the expected version.

    Parameters
    ----------
    state : State
        The ledger.
    name, stage : str
        The model and the stage.
    expected : str or None
        The version that must be there; None for no version.

    Raises
    ------
    StageChanged
        If another version is there.

    """
    stage_record = state.stage(name, stage)
    current = None if stage_record is None else stage_record.slot.version
    if current != expected:
        raise StageChanged(
            f"{name} in {stage} is not {expected or 'empty'}, as was expected, but "
            f"{describe_stage(stage_record)}",
            stage_record,
        )
    return stage_record


def verdict_for(state: State, record: VersionRecord, stage: str, policy: str) -> Verdict:
    """Return the latest verdict on a version, for a stage as it is now, by the current policy.

    Raises
    ------
    GateRefused
        If it did not pass, or there is none; the message says what there is instead.

    """
    address = f"{record.name}@{record.version}"
    incumbent = state.stage(record.name, stage)
    current_slot = None if incumbent is None else incumbent.slot
    current = "none" if current_slot is None else current_slot.version
    command = f"lockgate gate {address} {stage}"
    digest = state.latest_verdict(record.name, record.version, stage)
    verdict = None if digest is None else state.verdict(record.name, record.version, digest)
    if verdict is None:
        raise GateRefused(
            f"{address} has no verdict for {stage} (incumbent {current}); run {command}"
        )
    if verdict.policy != policy:
        raise GateRefused(
            f"the verdict on {address} for {stage} is from other gates than the current ones; run "
            f"{command}"
        )
    if not is_about(verdict, record, current_slot):
        against = "none" if verdict.incumbent is None else verdict.incumbent.version
        raise GateRefused(
            f"the verdict on {address} for {stage} is against the incumbent {against}, which is "
            f"{current} now; run {command}"
        )
    if not verdict.passed:
        failures = "; ".join(f"{result.gate}: {result.sentence}" for result in verdict.failed)
        raise GateRefused(f"{address} did not pass the gates of {stage}: {failures}")
    return verdict


def check_fresh(events: Iterable[Event], verdict: Verdict, version: str) -> None:
    """Check that no version was put into a stage since a verdict for it.

    It may have been compared with another version than would count now, e.g. while the stage was
    empty.

    Parameters
    ----------
    events : iterable of Event
        Events of the stage, newest first.
    verdict : Verdict
        The verdict.
    version : str
        The version that it is about.

    Raises
    ------
    GateRefused
        If there was.

    """
    for event in events:
        if event.op == "gate" and event.gate == verdict.digest:
            return
        if event.op in ("promote", "rollback"):
            raise GateRefused(
                f"the verdict on {verdict.name}@{version} for {verdict.stage} is older than "
                f"{event.after}, which was put there since; run lockgate gate "
                f"{verdict.name}@{version} {verdict.stage}"
            )


def is_about(verdict: Verdict, record: VersionRecord, slot: Slot | None) -> bool:
    """Whether a verdict compares this very bundle with what is in the stage."""
    incumbent_digest = None if verdict.incumbent is None else verdict.incumbent.digest
    same_bundle = verdict.bundle == record.digest and verdict.name == record.name
    return same_bundle and incumbent_digest == (None if slot is None else slot.digest)
