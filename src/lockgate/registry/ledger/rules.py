"""What each event demands of a ledger, and which files it changes.

The writer asks before it writes, and `verify` asks again of every event that
was ever written: there is no second opinion about what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import (
    DeploymentError,
    GateRefused,
    LedgerConflict,
    LedgerError,
    nearest,
)
from lockgate.registry.ledger.state import Head, StageRecord, State, VersionRecord, newest_first
from lockgate.registry.provenance.events import NAME, VERSION, Event
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.slots import Slot, choose_previous, promoted, rolled_back

__all__ = ["Files", "attached_paths", "changes", "known", "usable", "verdict_for"]

Files = Mapping[str, bytes | None]

KEPT = 20
"""Versions of each stage that can be gone back to."""


def attached_paths(event: Event) -> list[str]:
    """Return the files that an event brings along, besides those that follow from it."""
    at = f"{event.name}/{event.after}"
    match event.op:
        case "register":
            return [f"versions/{at}.json", f"manifests/{at}.json"]
        case "gate":
            return [f"verdicts/{at}/{event.gate}.json"]
        case "attest":
            return [f"attestations/{at}/{event.attached}.json"]
        case _:
            return []


def changes(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Return the files that an event changes.

    Parameters
    ----------
    state : State
        What the ledger says before it.
    event : Event
        What is to happen.
    attached : mapping of str to bytes
        What it brings along, by path.

    Raises
    ------
    LedgerError
        If it cannot happen here.

    """
    _check_form(event, attached)
    head = state.head()
    if event.seq != head.seq + 1:
        raise LedgerConflict(f"event {event.seq} cannot follow event {head.seq}")
    made: dict[str, bytes | None] = {"HEAD.json": _encoded(Head(1, event.seq, event.id))}
    return made | _CHANGES[event.op](state, event, attached)


def _check_form(event: Event, attached: Mapping[str, bytes]) -> None:
    for word in (event.name, event.stage):
        if word is not None and not NAME.fullmatch(word):
            raise LedgerError(
                f"{word[:80]!r} cannot name a model or a stage; letters, digits and . _ + - can"
            )
    stage = event.stage
    if stage is not None and (stage != stage.lower() or VERSION.fullmatch(stage)):
        raise LedgerError(
            f"{stage} cannot name a stage: in lower case, so that its gates cannot be missed, and "
            "no version"
        )
    for version in (event.before, event.after):
        if version is not None and not VERSION.fullmatch(version):
            raise LedgerError(f"{version[:80]!r} is no version; expected e.g. 1.4.0")
    if event.override and (event.op != "promote" or not event.reason.strip()):
        raise LedgerError("going against the gates needs a reason")
    if (event.stage is not None) != (event.op in ("gate", "promote", "rollback")) and not (
        event.op == "retire" and event.stage
    ):
        raise LedgerError(f"{event.op} and the stage {event.stage} do not go together")
    try:
        event.reason.encode()
    except UnicodeEncodeError:
        raise LedgerError("the reason is no text in UTF-8") from None
    if sorted(attached) != sorted(attached_paths(event)):
        raise LedgerError(f"{event.subject} brings along {', '.join(attached) or 'nothing'}")


def known(state: State, name: str, version: str | None) -> VersionRecord:
    """Return a version's record, by default of the newest that is not retired.

    Raises
    ------
    LedgerError
        If there is none, with what there is.

    """
    listed = state.versions(name)
    if not listed:
        names = state.names()
        raise LedgerError(
            f"no model {name[:80]!r} is registered{nearest(name, names)}; registered are "
            f"{', '.join(names[:20]) or 'none'}; lockgate register BUNDLE makes a version"
        )
    if version is None:
        left = [one for one in listed if not state.retired(name, one)]
        if not left:
            raise LedgerError(f"every version of {name} is retired")
        version = left[0]
    record = state.version(name, version) if version in listed else None
    if record is None:
        raise LedgerError(
            f"no version {name}@{version[:40]}{nearest(version, listed)}; there are "
            f"{', '.join(listed[:20])}"
        )
    return record


def usable(state: State, name: str, version: str | None) -> VersionRecord:
    """Return the record of a version that was not retired."""
    record = known(state, name, version)
    if state.retired(name, record.version):
        raise LedgerError(f"{name}@{record.version} is retired")
    return record


def verdict_for(state: State, record: VersionRecord, stage: str, policy: str) -> Verdict:
    """Return the passing verdict on a version for a stage as it is now, by the gates in force.

    Raises
    ------
    GateRefused
        If there is none, with what there is instead.

    """
    here = f"{record.name}@{record.version}"
    incumbent = state.stage(record.name, stage)
    now = None if incumbent is None else incumbent.slot
    every = [one for one in state.verdicts(record.name, record.version) if one.stage == stage]
    found = [one for one in every if one.policy == policy]
    fitting = [one for one in found if _fits(one, record, now)]
    again = f"lockgate gate {here} {stage}"
    if fitting:
        last = max(fitting, key=lambda one: one.at)
        if last.passed:
            return last
        said = "; ".join(f"{one.gate}: {one.sentence}" for one in last.failed)
        raise GateRefused(f"{here} did not pass the gates of {stage}: {said}")
    there = "nothing" if now is None else now.version
    if found:
        last = max(found, key=lambda one: one.at)
        against = "nothing" if last.incumbent is None else last.incumbent.version
        raise GateRefused(
            f"{here} was judged for {stage} against {against}; {there} is there now: {again}"
        )
    if every:
        raise GateRefused(f"{here} was judged for {stage} by other gates than those now: {again}")
    raise GateRefused(f"{here} has no verdict for {stage}, where {there} is now: {again}")


def _fits(verdict: Verdict, record: VersionRecord, now: Slot | None) -> bool:
    rival = None if verdict.incumbent is None else verdict.incumbent.digest
    right = verdict.bundle == record.digest and verdict.name == record.name
    return right and rival == (None if now is None else now.digest)


def _expected(state: State, event: Event) -> StageRecord | None:
    """Return what is in the event's stage, if that is what the event takes it to be."""
    assert event.stage is not None
    found = state.stage(event.name, event.stage)
    there = None if found is None else found.slot.version
    if there != event.before:
        raise LedgerConflict(
            f"{event.name} in {event.stage} is {there or 'nothing'} now, not "
            f"{event.before or 'nothing'}"
            + (f"; {found.actor} put it there at {found.at}" if found else "")
        )
    return found


def _register(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    path, manifest = attached_paths(event)
    try:
        record = msgspec.json.decode(attached[path], type=VersionRecord)
    except msgspec.DecodeError as error:
        raise LedgerError(f"the record of {event.subject} cannot be read: {error}") from None
    said = (record.name, record.version, record.digest)
    if said != (event.name, event.after, event.digest):
        raise LedgerError(f"{event.subject} brings along the record of another version")
    if sha256_bytes(attached[path]) != event.attached:
        raise LedgerError(f"{event.subject} names another record than it brings along")
    if sha256_bytes(attached[manifest]) != event.digest:
        raise LedgerError(f"{event.subject} names another bundle than it brings along")
    listed = state.versions(event.name)
    if listed and newest_first([*listed[:1], record.version])[0] == listed[0]:
        raise LedgerConflict(f"{event.name}@{event.after} does not follow {listed[0]}")
    for one in listed:
        other = state.version(event.name, one)
        if other is not None and other.digest == record.digest:
            raise LedgerConflict(f"this bundle is {event.name}@{one} already")
    return {path: attached[path], manifest: attached[manifest]}


def _gate(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = usable(state, event.name, event.after)
    now = _expected(state, event)
    (path,) = attached_paths(event)
    if sha256_bytes(attached[path]) != event.gate:
        raise LedgerError(f"{event.subject} names another verdict than it brings along")
    verdict = Verdict.decode(attached[path])
    right = _fits(verdict, record, None if now is None else now.slot)
    if not right or verdict.stage != event.stage or record.digest != event.digest:
        raise LedgerConflict(f"{event.subject}: its verdict is about something else")
    return {path: attached[path]}


def _promote(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = usable(state, event.name, event.after)
    now = _expected(state, event)
    assert event.stage is not None
    if event.digest != record.digest:
        raise LedgerError(f"{event.subject} names another bundle than {record.version} is")
    if now is not None and now.slot.version == record.version:
        raise LedgerConflict(f"{event.name}@{record.version} is in {event.stage} already")
    if not event.override:
        gate = state.verdict(event.name, record.version, event.gate or "")
        slot = None if now is None else now.slot
        if gate is None or not gate.passed or gate.stage != event.stage:
            raise GateRefused(f"{event.subject} rests on no passing verdict")
        if not _fits(gate, record, slot):
            raise GateRefused(f"{event.subject} rests on a verdict about something else")
    slot = Slot(
        event.name,
        event.stage,
        record.version,
        record.digest,
        verdict=event.gate,
        override=event.override,
    )
    if now is not None:
        slot = promoted(now.slot, slot, kept=KEPT)
    return _placed(event, slot, now)


def _rollback(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    now = _expected(state, event)
    if now is None:
        raise LedgerError(f"{event.name} has nothing in {event.stage} to go back from")
    try:
        past = choose_previous(now.slot, event.after)
    except DeploymentError as error:
        raise LedgerError(str(error)) from None
    usable(state, event.name, past.version)
    if (past.digest, past.verdict) != (event.digest, event.gate):
        raise LedgerError(f"{event.subject} names another bundle or verdict than it goes back to")
    return _placed(event, rolled_back(now.slot, past, kept=KEPT), now)


def _placed(event: Event, slot: Slot, now: StageRecord | None) -> dict[str, bytes | None]:
    record = StageRecord(
        slot=slot,
        seq=event.seq,
        prev_seq=0 if now is None else now.seq,
        id=event.id,
        override=slot.override,
        at=event.at,
        actor=event.actor,
        reason=event.reason,
    )
    return {f"stages/{event.name}/{event.stage}.json": _encoded(record)}


def _retire(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = known(state, event.name, event.before)
    if event.digest != record.digest:
        raise LedgerError(f"{event.subject} names another bundle than {record.version} is")
    if event.stage is not None:
        _expected(state, event)
        return {f"stages/{event.name}/{event.stage}.json": None}
    usable(state, event.name, event.before)
    for stage in state.stages(event.name):
        found = state.stage(event.name, stage)
        if found is not None and found.slot.version == event.before:
            raise LedgerConflict(
                f"{event.name}@{event.before} is in {stage}; put another version there first, "
                f"or take it out: lockgate retire {event.name} {stage}"
            )
    said = {"at": event.at, "actor": event.actor, "reason": event.reason}
    return {f"retired/{event.name}/{event.before}.json": msgspec.json.encode(said)}


def _attest(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = known(state, event.name, event.after)
    (path,) = attached_paths(event)
    if sha256_bytes(attached[path]) != event.attached or record.digest != event.digest:
        raise LedgerError(f"{event.subject}: its attestation is about something else")
    return {path: attached[path]}


def _encoded(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


_CHANGES = {
    "register": _register,
    "gate": _gate,
    "promote": _promote,
    "rollback": _rollback,
    "retire": _retire,
    "attest": _attest,
}
