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

__all__ = [
    "Files",
    "attached_paths",
    "changes",
    "find_usable_version",
    "find_version",
    "verdict_for",
]

Files = Mapping[str, bytes | None]

HISTORY_LENGTH = 20
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
    files: dict[str, bytes | None] = {"HEAD.json": _encode(Head(1, event.seq, event.id))}
    return files | _CHANGES[event.op](state, event, attached)


def _check_form(event: Event, attached: Mapping[str, bytes]) -> None:
    for name in (event.name, event.stage):
        if name is not None and not NAME.fullmatch(name):
            raise LedgerError(
                f"{name[:80]!r} cannot name a model or a stage; letters, digits and . _ + - can"
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


def find_version(state: State, name: str, version: str | None) -> VersionRecord:
    """Return a version's record, by default of the newest that is not retired.

    Raises
    ------
    LedgerError
        If there is none, with what there is.

    """
    versions = state.versions(name)
    if not versions:
        names = state.names()
        raise LedgerError(
            f"no model {name[:80]!r} is registered{nearest(name, names)}; registered are "
            f"{', '.join(names[:20]) or 'none'}; lockgate register BUNDLE makes a version"
        )
    if version is None:
        remaining = [number for number in versions if not state.is_retired(name, number)]
        if not remaining:
            raise LedgerError(f"every version of {name} is retired")
        version = remaining[0]
    record = state.version(name, version) if version in versions else None
    if record is None:
        raise LedgerError(
            f"no version {name}@{version[:40]}{nearest(version, versions)}; there are "
            f"{', '.join(versions[:20])}"
        )
    return record


def find_usable_version(state: State, name: str, version: str | None) -> VersionRecord:
    """Return the record of a version that was not retired."""
    record = find_version(state, name, version)
    if state.is_retired(name, record.version):
        raise LedgerError(f"{name}@{record.version} is retired")
    return record


def verdict_for(state: State, record: VersionRecord, stage: str, policy: str) -> Verdict:
    """Return the passing verdict on a version for a stage as it is now, by the gates in force.

    Raises
    ------
    GateRefused
        If there is none, with what there is instead.

    """
    address = f"{record.name}@{record.version}"
    incumbent = state.stage(record.name, stage)
    current_slot = None if incumbent is None else incumbent.slot
    stage_verdicts = [
        verdict for verdict in state.verdicts(record.name, record.version) if verdict.stage == stage
    ]
    policy_verdicts = [verdict for verdict in stage_verdicts if verdict.policy == policy]
    matching = [verdict for verdict in policy_verdicts if _is_about(verdict, record, current_slot)]
    command = f"lockgate gate {address} {stage}"
    if matching:
        latest = max(matching, key=lambda verdict: verdict.at)
        if latest.passed:
            return latest
        failures = "; ".join(f"{result.gate}: {result.sentence}" for result in latest.failed)
        raise GateRefused(f"{address} did not pass the gates of {stage}: {failures}")
    current = "nothing" if current_slot is None else current_slot.version
    if policy_verdicts:
        latest = max(policy_verdicts, key=lambda verdict: verdict.at)
        against = "nothing" if latest.incumbent is None else latest.incumbent.version
        raise GateRefused(
            f"{address} was judged for {stage} against {against}; {current} is there now: {command}"
        )
    if stage_verdicts:
        raise GateRefused(
            f"{address} was judged for {stage} by other gates than those now: {command}"
        )
    raise GateRefused(f"{address} has no verdict for {stage}, where {current} is now: {command}")


def _is_about(verdict: Verdict, record: VersionRecord, slot: Slot | None) -> bool:
    incumbent_digest = None if verdict.incumbent is None else verdict.incumbent.digest
    same_bundle = verdict.bundle == record.digest and verdict.name == record.name
    return same_bundle and incumbent_digest == (None if slot is None else slot.digest)


def _require_expected(state: State, event: Event) -> StageRecord | None:
    """Return what is in the event's stage, if that is what the event takes it to be."""
    assert event.stage is not None
    stage_record = state.stage(event.name, event.stage)
    current_version = None if stage_record is None else stage_record.slot.version
    if current_version != event.before:
        raise LedgerConflict(
            f"{event.name} in {event.stage} is {current_version or 'nothing'} now, not "
            f"{event.before or 'nothing'}"
            + (f"; {stage_record.actor} put it there at {stage_record.at}" if stage_record else "")
        )
    return stage_record


def _register(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    path, manifest = attached_paths(event)
    try:
        record = msgspec.json.decode(attached[path], type=VersionRecord)
    except msgspec.DecodeError as error:
        raise LedgerError(f"the record of {event.subject} cannot be read: {error}") from None
    recorded = (record.name, record.version, record.digest)
    if recorded != (event.name, event.after, event.digest):
        raise LedgerError(f"{event.subject} brings along the record of another version")
    if sha256_bytes(attached[path]) != event.attached:
        raise LedgerError(f"{event.subject} names another record than it brings along")
    if sha256_bytes(attached[manifest]) != event.digest:
        raise LedgerError(f"{event.subject} names another bundle than it brings along")
    versions = state.versions(event.name)
    if versions and newest_first([*versions[:1], record.version])[0] == versions[0]:
        raise LedgerConflict(f"{event.name}@{event.after} does not follow {versions[0]}")
    for version in versions:
        other = state.version(event.name, version)
        if other is not None and other.digest == record.digest:
            raise LedgerConflict(f"this bundle is {event.name}@{version} already")
    return {path: attached[path], manifest: attached[manifest]}


def _gate(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = find_usable_version(state, event.name, event.after)
    current = _require_expected(state, event)
    (path,) = attached_paths(event)
    if sha256_bytes(attached[path]) != event.gate:
        raise LedgerError(f"{event.subject} names another verdict than it brings along")
    verdict = Verdict.decode(attached[path])
    matches = _is_about(verdict, record, None if current is None else current.slot)
    if not matches or verdict.stage != event.stage or record.digest != event.digest:
        raise LedgerConflict(f"{event.subject}: its verdict is about something else")
    return {path: attached[path]}


def _promote(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = find_usable_version(state, event.name, event.after)
    current = _require_expected(state, event)
    assert event.stage is not None
    if event.digest != record.digest:
        raise LedgerError(f"{event.subject} names another bundle than {record.version} is")
    if current is not None and current.slot.version == record.version:
        raise LedgerConflict(f"{event.name}@{record.version} is in {event.stage} already")
    if not event.override:
        gate = state.verdict(event.name, record.version, event.gate or "")
        slot = None if current is None else current.slot
        if gate is None or not gate.passed or gate.stage != event.stage:
            raise GateRefused(f"{event.subject} rests on no passing verdict")
        if not _is_about(gate, record, slot):
            raise GateRefused(f"{event.subject} rests on a verdict about something else")
    slot = Slot(
        event.name,
        event.stage,
        record.version,
        record.digest,
        verdict=event.gate,
        override=event.override,
    )
    if current is not None:
        slot = promoted(current.slot, slot, limit=HISTORY_LENGTH)
    return _stage_files(event, slot, current)


def _rollback(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    current = _require_expected(state, event)
    if current is None:
        raise LedgerError(f"{event.name} has nothing in {event.stage} to go back from")
    try:
        previous = choose_previous(current.slot, event.after)
    except DeploymentError as error:
        raise LedgerError(str(error)) from None
    find_usable_version(state, event.name, previous.version)
    if (previous.digest, previous.verdict) != (event.digest, event.gate):
        raise LedgerError(f"{event.subject} names another bundle or verdict than it goes back to")
    return _stage_files(event, rolled_back(current.slot, previous, limit=HISTORY_LENGTH), current)


def _stage_files(event: Event, slot: Slot, current: StageRecord | None) -> dict[str, bytes | None]:
    record = StageRecord(
        slot=slot,
        seq=event.seq,
        prev_seq=0 if current is None else current.seq,
        id=event.id,
        override=slot.override,
        at=event.at,
        actor=event.actor,
        reason=event.reason,
    )
    return {f"stages/{event.name}/{event.stage}.json": _encode(record)}


def _retire(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = find_version(state, event.name, event.before)
    if event.digest != record.digest:
        raise LedgerError(f"{event.subject} names another bundle than {record.version} is")
    if event.stage is not None:
        _require_expected(state, event)
        return {f"stages/{event.name}/{event.stage}.json": None}
    find_usable_version(state, event.name, event.before)
    for stage in state.stages(event.name):
        stage_record = state.stage(event.name, stage)
        if stage_record is not None and stage_record.slot.version == event.before:
            raise LedgerConflict(
                f"{event.name}@{event.before} is in {stage}; put another version there first, "
                f"or take it out: lockgate retire {event.name} {stage}"
            )
    retirement = {"at": event.at, "actor": event.actor, "reason": event.reason}
    return {f"retired/{event.name}/{event.before}.json": msgspec.json.encode(retirement)}


def _attest(state: State, event: Event, attached: Mapping[str, bytes]) -> dict[str, bytes | None]:
    record = find_version(state, event.name, event.after)
    (path,) = attached_paths(event)
    if sha256_bytes(attached[path]) != event.attached or record.digest != event.digest:
        raise LedgerError(f"{event.subject}: its attestation is about something else")
    return {path: attached[path]}


def _encode(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


_CHANGES = {
    "register": _register,
    "gate": _gate,
    "promote": _promote,
    "rollback": _rollback,
    "retire": _retire,
    "attest": _attest,
}
