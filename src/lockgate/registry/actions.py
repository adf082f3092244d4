"""From what somebody asks and what is there to the event that does it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import DeploymentError, LedgerConflict, LedgerError
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.ledger.writer import Draft
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.registration import BundleSource, record_of
from lockgate.registry.slots import choose_previous

__all__ = [
    "AlreadyRegistered",
    "judged",
    "promotion",
    "registration",
    "retirement",
    "rollback_draft",
]


class AlreadyRegistered(Exception):
    """The bundle is a version already.

    Attributes
    ----------
    record : VersionRecord
        Which one.

    """

    def __init__(self, record: VersionRecord) -> None:
        self.record = record
        super().__init__(record.version)


def registration(
    state: State, *, found: BundleSource, version: str | None, bump: str | None, reason: str
) -> Draft:
    """Make a bundle a version; `Registered` where it is one."""
    name = found.manifest.name
    for listed in state.versions(name):
        record = state.version(name, listed)
        if record is not None and record.digest == found.digest:
            raise AlreadyRegistered(record)
    made = record_of(state, found, version=version, bump=bump)
    raw = msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"
    said = {
        "op": "register",
        "name": name,
        "after": made.version,
        "digest": found.digest,
        "attached": sha256_bytes(raw),
        "reason": reason,
    }
    return Draft(said, (raw, found.raw))


def judged(verdict: Verdict, version: str) -> Draft:
    """Enter a verdict."""
    rival = None if verdict.incumbent is None else verdict.incumbent.version
    said = {
        "op": "gate",
        "name": verdict.name,
        "stage": verdict.stage,
        "before": rival,
        "after": version,
        "digest": verdict.bundle,
        "gate": verdict.digest,
    }
    return Draft(said, (verdict.encode(),))


def promotion(
    state: State,
    *,
    name: str,
    stage: str,
    version: str | None,
    expect: str | None,
    override: bool,
    reason: str,
    policy: Callable[[VersionRecord], str],
) -> Draft:
    """Put a version into a stage."""
    record = rules.usable(state, name, version)
    now = _expected(state, name, stage, expect)
    if now == record.version:
        raise LedgerConflict(f"{name}@{now} is in {stage} already")
    gate = None
    if not override:
        gate = rules.verdict_for(state, record, stage, policy(record)).digest
    return Draft(
        {
            "op": "promote",
            "name": name,
            "stage": stage,
            "before": now,
            "after": record.version,
            "digest": record.digest,
            "gate": gate,
            "override": override,
            "reason": reason,
        }
    )


def rollback_draft(
    state: State, *, name: str, stage: str, to: str | None, expect: str | None, reason: str
) -> Draft:
    """Put an earlier version of a stage there again."""
    now = _expected(state, name, stage, expect)
    found = state.stage(name, stage)
    if found is None:
        rules.known(state, name, None)
        raise LedgerError(f"{name} has nothing in {stage} to go back from")
    slot = found.slot
    if to is None:  # what is retired is passed over
        usable = (one for one in slot.before if not state.retired(name, one.version))
        slot = msgspec.structs.replace(slot, before=tuple(usable))
    try:
        past = choose_previous(slot, to)
    except DeploymentError as error:
        raise LedgerError(str(error)) from None
    return Draft(
        {
            "op": "rollback",
            "name": name,
            "stage": stage,
            "before": now,
            "after": past.version,
            "digest": past.digest,
            "gate": past.verdict,
            "reason": reason,
        }
    )


def retirement(
    state: State, *, name: str, version: str | None, stage: str | None, reason: str
) -> Draft:
    """Withdraw a version, or take a model out of a stage."""
    if stage is not None:
        found = state.stage(name, stage)
        if found is None:
            rules.known(state, name, None)
            raise LedgerError(f"{name} has nothing in {stage}")
        version = found.slot.version
    digest = rules.known(state, name, version).digest
    return Draft(
        {
            "op": "retire",
            "name": name,
            "stage": stage,
            "before": version,
            "digest": digest,
            "reason": reason,
        }
    )


def _expected(state: State, name: str, stage: str, expect: str | None) -> str | None:
    """Return which version is in a stage, if it is the expected one."""
    found = state.stage(name, stage)
    now = None if found is None else found.slot.version
    if expect is not None and expect != (now or "nothing"):
        by = f", since {found.at} by {found.actor}" if found else ""
        raise LedgerConflict(f"{name} in {stage} is {now or 'nothing'} now{by}; expected {expect}")
    return now
