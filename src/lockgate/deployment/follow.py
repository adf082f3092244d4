"""Keeps a deployment directory in step with the ledger."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.deployment.admission import store_provenance
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.deployment.transitions import NextStep, next_step
from lockgate.errors import (
    DeploymentChanged,
    LedgerError,
    LedgerTampered,
    LockgateError,
    RemoteUnavailable,
)
from lockgate.models.bundle.check import check_in_subprocess
from lockgate.registry.bundle_store import bundle_of
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import StageRecord
from lockgate.registry.provenance_export import collect_provenance
from lockgate.registry.slots import Slot
from lockgate.suggestions import nearest

__all__ = ["Step", "deploy_stage", "follow"]

POLL_SECONDS = 0.2
"""Seconds between two checks whether the local ledger changed; a check takes about 50 µs."""

ATTEMPTS = 3
"""Attempts to change a directory that other commands change at the same time."""

RETRY_SECONDS = 5.0
"""Seconds until a deployment that failed is tried again."""

Step = tuple[Pointer | None, str]
"""The new pointer, None if it did not change, and a message for the user."""


def deploy_stage(ledger: EventLog, deployment: Deployment, name: str, stage: str) -> Step:
    """Deploy the version that is in a stage, after verifying the ledger.

    A bundle that was rolled back in this directory is not deployed again until
    `lockgate sync` has recorded the rollback in the ledger.

    Parameters
    ----------
    ledger : EventLog
        The ledger.
    deployment : Deployment
        The directory.
    name, stage : str
        Model and stage.

    Returns
    -------
    tuple of Pointer or None, and str
        The new pointer, None if it did not change, and a message for the user.

    Raises
    ------
    LedgerError
        If the stage is empty, or its bundle cannot be fetched.
    LedgerTampered
        If the ledger fails verification, or has fewer events than were followed before.
    DeploymentChanged
        If other commands change the directory again and again.

    """
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(DeploymentChanged):
            return _deploy_once(ledger, deployment, name, stage)
    return _deploy_once(ledger, deployment, name, stage)


def _deploy_once(ledger: EventLog, deployment: Deployment, name: str, stage: str) -> Step:
    """Compare directory and ledger, and change the directory if it is still as it was read."""
    pointer = deployment.pointer() if deployment.exists() else Pointer()
    slot = pointer.find(name, stage)
    ledger = ledger.at(ledger.tip)  # what is verified is what is deployed
    _check_ledger(ledger, deployment, slot)
    record = ledger.state.stage(name, stage)
    promotion = None
    if record is not None:
        promotion = msgspec.structs.replace(record.slot, ledger=record.seq, event=record.id)
    step = next_step(slot, promotion)
    if step is NextStep.DEPLOY and record is not None:
        return _deploy(ledger, deployment, record, pointer.seq)
    if step is NextStep.REMOVE:
        reason = "the stage is empty in the ledger"
        changed = deployment.remove(name, stage, reason=reason, expect_seq=pointer.seq)
        return changed, f"{name} left {stage}: {reason}"
    if step is NextStep.ABSENT:
        rules.find_version(ledger.state, name, None)  # raises if the model is unknown
        similar = nearest(stage, ledger.state.stages(name))
        raise LedgerError(
            f"stage {stage} of {name} is empty{similar or f'; run lockgate promote {name} {stage}'}"
        )
    if slot is not None and record is not None and step is not NextStep.NOTHING:
        return None, _explain_kept(deployment, step, slot, record.slot)
    return None, str(step)


def _deploy(ledger: EventLog, deployment: Deployment, stage_record: StageRecord, seq: int) -> Step:
    target_slot = stage_record.slot
    name, stage = target_slot.name, target_slot.stage
    record = rules.find_version(ledger.state, name, target_slot.version)
    bundle = bundle_of(ledger.repository, record)
    store_provenance(
        deployment, record.digest, stage, collect_provenance(ledger, record, stage_record)
    )
    pointer = deployment.deploy(
        bundle,
        version=target_slot.version,
        stage=stage,
        reason=stage_record.reason,
        verdict=target_slot.verdict,
        following=(stage_record.seq, stage_record.id),
        override=stage_record.override,
        left=[bundle.digest for bundle in target_slot.before if bundle.left],
        check=check_in_subprocess,
        expect_seq=seq,
    )
    message = f"event {stage_record.seq}: {name}@{target_slot.version} in {stage}"
    return (pointer if pointer.seq != seq else None), message


def _check_ledger(ledger: EventLog, deployment: Deployment, slot: Slot | None) -> None:
    """Raise if the ledger fails verification or is older than what was followed before."""
    verification = ledger.verify()
    if verification.findings:
        first = verification.findings[0]
        raise LedgerTampered(
            f"the ledger failed verification, so nothing is deployed from it: {first.subject}: "
            f"{first.problem}; lockgate verify lists all problems"
        )
    if slot is not None and verification.events < slot.ledger:
        raise LedgerTampered(
            f"{deployment.path} has followed event {slot.ledger}, and this ledger has only "
            f"{verification.events} events: it is another repository or lost events; "
            "fetch them with lockgate sync"
        )


def _explain_kept(deployment: Deployment, step: NextStep, slot: Slot, target_slot: Slot) -> str:
    """Say why the ledger's bundle is not deployed, and what to do."""
    if step is NextStep.HELD:
        reason = (
            "was rolled back in this directory; record that in the ledger with lockgate sync "
            f"{deployment.path}"
        )
    else:
        reason = (
            "was rejected or replaced in this directory; see lockgate rollback --here "
            f"{deployment.path} --history"
        )
    return f"{slot.name}@{slot.version} stays in {slot.stage}: {target_slot.version} {reason}"


def follow(
    ledger: EventLog, directory: Path, name: str, stage: str, *, every: float
) -> Iterator[Step]:
    """Keep a deployment directory up to date with a stage of the ledger; never returns.

    Parameters
    ----------
    ledger : EventLog
        The ledger.
    directory : pathlib.Path
        The deployment directory.
    name, stage : str
        Model and stage.
    every : float
        Seconds between two fetches from the remote; the local ledger is polled all the time.

    Yields
    ------
    tuple of Pointer or None, and str
        Every change, and every new reason for which there is none.

    """
    deployment = Deployment(directory)
    last_fetch, retry_at, seen_tip, last_message = -1e9, 0.0, "", ""
    while True:
        message, current_time = "", time.monotonic()
        if ledger.remote is not None and current_time - last_fetch >= every:
            last_fetch = current_time
            try:
                ledger.fetch()
            except RemoteUnavailable as error:
                message = f"{error.problem}; serving continues unchanged"
            except LedgerError as error:
                message = f"{error}; serving continues unchanged"
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
