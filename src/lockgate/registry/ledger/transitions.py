"""Which files each event changes, and what it requires of the ledger before it.

The writer checks an event here before writing it, and `verify` checks every event
of a ledger in the same way, so that both agree on what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from lockgate.contract.names import NAME, NAME_RULE
from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import DeploymentError, GateRefused, LedgerConflict, LedgerError, UsageError
from lockgate.models.bundle.manifest import UNREADABLE, Manifest
from lockgate.registry.ledger.rules import (
    find_usable_version,
    find_version,
    is_about,
    require_current,
)
from lockgate.registry.ledger.stage_names import check_stage_name
from lockgate.registry.ledger.state import (
    Head,
    LatestVerdict,
    StageRecord,
    State,
    VersionRecord,
    judged_path,
    newest_first,
)
from lockgate.registry.provenance.events import VERSION, Event
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.slots import Slot, choose_previous, promoted, rolled_back

__all__ = ["Files", "attached_paths", "changes"]

Files = dict[str, bytes | None]
"""New contents by path; None where a file is removed."""

AT = re.compile(r"[12]\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(\.\d{1,6})?\+00:00")
"""Times of events: texts compare like times, and hold nothing else."""

HISTORY_LENGTH = 20
"""Earlier versions of each stage to which a rollback is possible."""


def attached_paths(event: Event) -> list[str]:
    """Return the paths of the files that are attached to an event."""
    at = f"{event.name}/{event.after}"
    match event.op:
        case "register":
            return [f"versions/{at}.json", f"manifests/{at}.json"]
        case "gate":
            return [f"verdicts/{at}/{event.gate}.json", f"verdicts/{at}/{event.gate}.policy.json"]
        case "attest":
            return [f"attestations/{at}/{event.attached}.json"]
        case _:
            return []


def changes(state: State, event: Event, attached: Mapping[str, bytes]) -> Files:
    """Return the files that an event changes.

    Parameters
    ----------
    state : State
        The ledger before the event.
    event : Event
        The event.
    attached : mapping of str to bytes
        Its attached files by path.

    Returns
    -------
    dict
        New contents by path; None for a file that is removed.

    Raises
    ------
    LedgerError
        If the event is not allowed in this state.

    """
    _check_form(event, attached)
    head = state.head()
    if event.seq != head.seq + 1:
        raise LedgerConflict(f"event {event.seq} cannot follow event {head.seq}")
    files: Files = {"HEAD.json": _encode(Head(1, event.seq, event.id))}
    return files | _CHANGES[event.op](state, event, attached)


def _check_form(event: Event, attached: Mapping[str, bytes]) -> None:
    _check_names(event)
    if event.override and event.op not in ("promote", "rollback"):
        raise LedgerError(f"{event.op} overrides no gates")
    if event.override and event.op == "promote" and not event.reason.strip():
        raise LedgerError("overriding the gates needs a reason")
    if event.override and event.gate is not None:
        raise LedgerError("what overrides the gates rests on no verdict")
    if (event.stage is not None) != (event.op in ("gate", "promote", "rollback")) and not (
        event.op == "retire" and event.stage
    ):
        raise LedgerError(f"{event.op} does not accept the stage {event.stage}")
    _check_texts(event)
    if sorted(attached) != sorted(attached_paths(event)):
        raise LedgerError(
            f"{event.subject}: expected attached files {_list(attached_paths(event))}, "
            f"got {_list(attached)}"
        )


def _check_names(event: Event) -> None:
    if not NAME.fullmatch(event.name):
        raise LedgerError(f"{event.name[:80]!r} is not a name of a model; allowed: {NAME_RULE}")
    if event.stage is not None:
        try:
            check_stage_name(event.stage)
        except UsageError as error:
            raise LedgerError(str(error)) from None
    for version in (event.before, event.after):
        if version is not None and not VERSION.fullmatch(version):
            raise LedgerError(f"{version[:80]!r} is not a version; expected e.g. 1.4.0")
    # without it, the newest version would be meant, and views of a version would not show it
    if (event.before if event.op == "retire" else event.after) is None:
        raise LedgerError(f"{event.subject}: it does not name its version")


def _check_texts(event: Event) -> None:
    try:
        valid = AT.fullmatch(event.at) is not None and bool(datetime.fromisoformat(event.at))
    except ValueError:
        valid = False
    if not valid:
        raise LedgerError(f"{event.at[:40]!r} is not a time like 2026-05-03T14:30:00.000+00:00")
    try:
        event.reason.encode()
    except UnicodeEncodeError:
        raise LedgerError("the reason is not valid UTF-8 text") from None


def _stage_before(state: State, event: Event) -> StageRecord | None:
    """Return what is in an event's stage, if it is what the event replaces."""
    assert event.stage is not None
    return require_current(state, event.name, event.stage, event.before)


def _register(state: State, event: Event, attached: Mapping[str, bytes]) -> Files:
    path, manifest = attached_paths(event)
    try:
        record = msgspec.json.decode(attached[path], type=VersionRecord)
    except msgspec.DecodeError as error:
        raise LedgerError(f"the record of {event.subject} cannot be read: {error}") from None
    recorded = (record.name, record.version, record.digest)
    if recorded != (event.name, event.after, event.digest):
        raise LedgerError(f"{event.subject}: the attached record is of another version")
    if sha256_bytes(attached[path]) != event.attached:
        raise LedgerError(f"{event.subject}: the attached record does not match its digest")
    if sha256_bytes(attached[manifest]) != event.digest:
        raise LedgerError(f"{event.subject}: the attached manifest does not match its digest")
    try:
        msgspec.json.decode(attached[manifest], type=Manifest)
    except UNREADABLE as error:
        raise LedgerError(f"{event.subject}: the manifest cannot be read: {error}") from None
    if record.path is not None and not _is_inside(record.path):
        raise LedgerError(f"{event.subject}: {record.path[:80]!r} is not a path in the repository")
    versions = state.versions(event.name)
    if versions and newest_first([*versions[:1], record.version])[0] == versions[0]:
        raise LedgerConflict(f"{event.name}@{event.after} does not follow {versions[0]}")
    for version in versions:
        other = state.version(event.name, version)
        if other is not None and other.digest == record.digest:
            raise LedgerConflict(f"this bundle is already registered as {event.name}@{version}")
    return {path: attached[path], manifest: attached[manifest]}


def _gate(state: State, event: Event, attached: Mapping[str, bytes]) -> Files:
    record = find_usable_version(state, event.name, event.after)
    current = _stage_before(state, event)
    path, policy_path = attached_paths(event)
    if sha256_bytes(attached[path]) != event.gate:
        raise LedgerError(f"{event.subject}: the attached verdict does not match its digest")
    verdict = Verdict.decode(attached[path])
    policy = StagePolicy.decode(attached[policy_path])
    if sha256_bytes(attached[policy_path]) != verdict.policy or policy.stage != event.stage:
        raise LedgerError(f"{event.subject}: the attached policy is not that of its verdict")
    verdict.check_policy(policy)
    matches = is_about(verdict, record, None if current is None else current.slot)
    if not matches or verdict.stage != event.stage or record.digest != event.digest:
        raise LedgerConflict(
            f"{event.subject}: the verdict is about another bundle, stage or incumbent"
        )
    # the latest verdict counts, in the order of the events
    latest = _encode(LatestVerdict(verdict=str(event.gate)))
    return {**attached, judged_path(event.name, str(event.after), str(event.stage)): latest}


def _promote(state: State, event: Event, attached: Mapping[str, bytes]) -> Files:
    record = find_usable_version(state, event.name, event.after)
    current = _stage_before(state, event)
    assert event.stage is not None
    if event.digest != record.digest:
        raise LedgerError(f"{event.subject}: the digest is not that of {record.version}")
    if current is not None and current.slot.version == record.version:
        raise LedgerConflict(f"{event.name}@{record.version} is already in {event.stage}")
    if not event.override:
        gate = state.verdict(event.name, record.version, event.gate or "")
        slot = None if current is None else current.slot
        if gate is None or not gate.passed or gate.stage != event.stage:
            raise GateRefused(f"{event.subject}: no passing verdict for this stage")
        if state.latest_verdict(event.name, record.version, event.stage) != event.gate:
            raise GateRefused(f"{event.subject}: a later verdict takes the place of this one")
        if not is_about(gate, record, slot):
            raise GateRefused(f"{event.subject}: the verdict is about another bundle or incumbent")
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


def _rollback(state: State, event: Event, attached: Mapping[str, bytes]) -> Files:
    current = _stage_before(state, event)
    if current is None:
        raise LedgerError(f"nothing to roll back: {event.name} has no version in {event.stage}")
    try:
        previous = choose_previous(current.slot, event.after)
    except DeploymentError as error:
        raise LedgerError(str(error)) from None
    find_usable_version(state, event.name, previous.version)
    origin = (previous.digest, previous.verdict, previous.override)
    if origin != (event.digest, event.gate, event.override):
        raise LedgerError(
            f"{event.subject}: digest, verdict or override differ from those of {previous.version}"
        )
    return _stage_files(event, rolled_back(current.slot, previous, limit=HISTORY_LENGTH), current)


def _stage_files(event: Event, slot: Slot, current: StageRecord | None) -> Files:
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


def _retire(state: State, event: Event, attached: Mapping[str, bytes]) -> Files:
    record = find_version(state, event.name, event.before)
    if event.digest != record.digest:
        raise LedgerError(f"{event.subject}: the digest is not that of {record.version}")
    if event.stage is not None:
        _stage_before(state, event)
        return {f"stages/{event.name}/{event.stage}.json": None}
    find_usable_version(state, event.name, event.before)
    for stage in state.stages(event.name):
        stage_record = state.stage(event.name, stage)
        if stage_record is not None and stage_record.slot.version == event.before:
            raise LedgerConflict(
                f"{event.name}@{event.before} is in {stage}; promote another version first, "
                f"or empty the stage: lockgate retire {event.name} {stage}"
            )
    retirement = {"at": event.at, "actor": event.actor, "reason": event.reason}
    return {f"retired/{event.name}/{event.before}.json": msgspec.json.encode(retirement)}


def _attest(state: State, event: Event, attached: Mapping[str, bytes]) -> Files:
    record = find_version(state, event.name, event.after)
    (path,) = attached_paths(event)
    if sha256_bytes(attached[path]) != event.attached or record.digest != event.digest:
        raise LedgerError(f"{event.subject}: the attestation is about another bundle")
    try:
        msgspec.json.decode(attached[path], type=dict[str, Any])
    except UNREADABLE as error:
        raise LedgerError(f"{event.subject}: the attestation cannot be read: {error}") from None
    return {path: attached[path]}


def _is_inside(path: str) -> bool:
    """Whether a path is one below the top of the repository."""
    parts = path.split("/")
    return path.isprintable() and not path.startswith("/") and ".." not in parts


def _list(paths: Iterable[str]) -> str:
    return ", ".join(sorted(paths)) or "none"


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
