"""Keeps a deployment directory in step with the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lockgate.deployment.admission import store_provenance
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import LedgerError, LedgerTampered, LockgateError, RemoteUnavailable
from lockgate.models.bundle.check import check_in_subprocess
from lockgate.registry.bundle_store import bundle_of
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.provenance_export import collect_provenance
from lockgate.registry.slots import Slot

__all__ = ["Step", "deploy_stage", "follow"]

POLL_SECONDS = 0.2
"""How often a follower looks whether the ledger here changed; a look takes some 50 µs."""

RETRY_SECONDS = 5.0
"""When what could not be done is tried again."""

Step = tuple[Pointer | None, str]
"""The pointer, where it changed, and what was done or not done, in words."""


def deploy_stage(ledger: EventLog, deployment: Deployment, name: str, stage: str) -> Step:
    """Serve what is in a stage, after a look at every event that led there.

    What was rolled back from here does not come back until `lockgate sync` has
    told the ledger.

    Raises
    ------
    LedgerError
        If nothing is in the stage, or its bundle cannot be had.
    LedgerTampered
        If the ledger does not hold, or is not the one that was followed.

    """
    slot = _find_slot(deployment, name, stage)
    _check_ledger(ledger, deployment, slot)
    standing = ledger.current(name, stage)
    if standing is None:
        if slot is None or not slot.ledger:
            rules.find_version(ledger.state, name, None)
            raise LedgerError(f"{name} has nothing in {stage}; lockgate promote {name} {stage}")
        pointer = deployment.remove(name, stage, reason="the ledger has nothing there any more")
        return pointer, f"{name} is no longer served in {stage}: the ledger has nothing there"
    target_slot = standing.slot
    if slot is not None:
        if (slot.ledger, slot.event) == (standing.seq, standing.id):
            is_same_bundle = slot.digest == target_slot.digest
            return None, "in step with the ledger" if is_same_bundle else _explain_kept(
                deployment, slot, target_slot
            )
        if target_slot.digest in {past.digest for past in slot.before if past.held}:
            return None, _explain_kept(deployment, slot, target_slot)
    record = rules.find_version(ledger.state, name, target_slot.version)
    bundle = bundle_of(ledger.repository, record)
    store_provenance(deployment, record.digest, stage, collect_provenance(ledger, record, standing))
    before = deployment.pointer().seq if deployment.exists() else 0
    pointer = deployment.deploy(
        bundle,
        version=target_slot.version,
        stage=stage,
        reason=standing.reason,
        verdict=target_slot.verdict,
        following=(standing.seq, standing.id),
        override=standing.override,
        check=check_in_subprocess,
    )
    message = f"event {standing.seq}: {name}@{target_slot.version} for {stage}"
    return (pointer if pointer.seq != before else None), message


def _check_ledger(ledger: EventLog, deployment: Deployment, slot: Slot | None) -> None:
    """See that the ledger holds, and goes on from what was followed before."""
    verification = ledger.verify()
    if verification.findings:
        first = verification.findings[0]
        raise LedgerTampered(
            f"the ledger does not hold, and nothing is taken from it: {first.subject}: "
            f"{first.problem}; lockgate verify says all"
        )
    if slot is not None and verification.events < slot.ledger:
        raise LedgerTampered(
            f"{deployment.path} followed event {slot.ledger}, and the ledger here has "
            f"{verification.events}: it is another repository, or was lost; lockgate sync fetches it"
        )


def _explain_kept(deployment: Deployment, slot: Slot, target_slot: Slot) -> str:
    previous_bundle = {previous.digest: previous for previous in slot.before}.get(
        target_slot.digest
    )
    if previous_bundle is not None and previous_bundle.held:
        reason = f"was rolled back from here; lockgate sync {deployment.path} tells the ledger"
    else:
        reason = (
            f"was refused or replaced here; lockgate rollback --here {deployment.path} --history"
        )
    return f"{slot.name}@{slot.version} stays in {slot.stage}: {target_slot.version} {reason}"


def follow(
    ledger: EventLog, directory: Path, name: str, stage: str, *, every: float
) -> Iterator[Step]:
    """Go on serving what is in a stage, for ever.

    Parameters
    ----------
    ledger, directory, name, stage
        As for `deploy_stage`.
    every : float
        Seconds between two looks at the remote; the ledger here is looked at all the time.

    Yields
    ------
    tuple
        For everything that was done, or could not be done, once.

    """
    deployment = Deployment(directory)
    last_fetch, retry_at, seen_tip, last_message = -1e9, 0.0, "", ""
    while True:
        message, current_time = "", time.monotonic()
        if ledger.remote is not None and current_time - last_fetch >= every:
            last_fetch = current_time
            try:
                ledger.fetch()
            except (RemoteUnavailable, LedgerError) as error:
                message = f"{str(error).partition(';')[0]}; what is served stays"
        try:
            tip = ledger.tip or "none"
            if tip != seen_tip and current_time >= retry_at:
                retry_at = current_time + RETRY_SECONDS
                step = deploy_stage(ledger, deployment, name, stage)
                seen_tip, retry_at = tip, 0.0
                yield step
        except (LockgateError, OSError) as error:
            message = str(error)
        if message and message != last_message:
            yield None, message
        last_message = message or last_message if retry_at else message
        time.sleep(POLL_SECONDS)


def _find_slot(deployment: Deployment, name: str, stage: str) -> Slot | None:
    if not deployment.exists():
        return None
    matches = (
        slot for slot in deployment.pointer().slots if (slot.name, slot.stage) == (name, stage)
    )
    return next(matches, None)
