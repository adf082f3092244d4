"""Keeps a deployment directory in step with the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lockgate.bundle.checking import check_bundle
from lockgate.bundle.deployment import Deployment
from lockgate.bundle.pointer import Pointer, Slot
from lockgate.bundle.proofs import keep_proof
from lockgate.errors import LedgerError, LockgateError, RemoteUnavailable
from lockgate.ledger import rules
from lockgate.ledger.bundles import bundle_of
from lockgate.ledger.gates import registration
from lockgate.ledger.ledger import Ledger
from lockgate.ledger.state import StageRecord, VersionRecord
from lockgate.proof.proof import Proof

__all__ = ["Step", "deploy_stage", "follow", "proof_of"]

LOOK_SECONDS = 0.2
"""How often a follower looks whether the ledger here changed; a look takes some 50 µs."""

Step = tuple[Pointer | None, str]
"""The pointer, where it changed, and what was done or not done, in words."""


def deploy_stage(ledger: Ledger, deployment: Deployment, name: str, stage: str) -> Step:
    """Serve what is in a stage.

    A rollback that was taken here, of which the ledger does not know yet, is not
    undone: what was rolled back from does not come back until `lockgate sync`.

    Raises
    ------
    LedgerError
        If nothing is in the stage, or its bundle cannot be had.

    """
    standing = ledger.current(name, stage)
    slot = _slot(deployment, name, stage)
    if standing is None:
        if slot is None or not slot.ledger:
            rules.known(ledger.state, name, None)
            raise LedgerError(f"{name} has nothing in {stage}; lockgate promote {name} {stage}")
        pointer = deployment.remove(name, stage, reason="the ledger has nothing there any more")
        return pointer, f"{name} is no longer in {stage}"
    wanted = standing.slot
    if slot is not None:
        if slot.ledger == standing.seq:
            held = slot.digest != wanted.digest
            return None, _held(deployment, slot, wanted) if held else "in step with the ledger"
        if slot.local and wanted.digest in {past.digest for past in slot.before if past.left}:
            return None, _held(deployment, slot, wanted)
    record = rules.known(ledger.state, name, wanted.version)
    keep_proof(deployment, record.digest, stage, proof_of(ledger, record, standing))
    before = deployment.pointer().seq if deployment.exists() else 0
    pointer = deployment.deploy(
        bundle_of(ledger.repository, record), version=wanted.version, stage=stage,
        reason=standing.reason, verdict=wanted.verdict, ledger=standing.seq, check=check_bundle,
    )  # fmt: skip
    words = f"{name}@{wanted.version} is served in {stage} (event {standing.seq})"
    return (pointer if pointer.seq != before else None), words


def _held(deployment: Deployment, slot: Slot, wanted: Slot) -> str:
    return (
        f"{slot.name}@{slot.version} stays in {slot.stage}: {wanted.version} was rolled back from "
        f"here; lockgate sync {deployment.path} tells the ledger"
    )


def proof_of(ledger: Ledger, record: VersionRecord, standing: StageRecord) -> Proof:
    """Gather the papers of what is in a stage."""
    repository = ledger.repository
    _, _, registered = registration(ledger, record)
    placed = next(oid for event, _, oid in ledger.commits() if event.seq == standing.seq)
    verdict = standing.slot.verdict
    raw = None
    if verdict is not None:
        state = ledger.state
        path = f"verdicts/{record.name}/{record.version}/{verdict}.json"
        raw = state.trees.file(state.tree, path)
    return Proof(
        registered=repository.store.read(registered)[1].decode(),
        placed=repository.store.read(placed)[1].decode(),
        verdict=None if raw is None else raw.decode(),
    )


def follow(
    ledger: Ledger, directory: Path, name: str, stage: str, *, every: float
) -> Iterator[Step]:  # fmt: skip
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
    asked, seen, said = -1e9, "", ""
    while True:
        words = ""
        if ledger.remote is not None and time.monotonic() - asked >= every:
            asked = time.monotonic()
            try:
                ledger.fetch()
            except (RemoteUnavailable, LedgerError) as error:
                words = f"{str(error).partition(';')[0]}; what is served stays"
        tip = ledger.tip or ""
        if tip != seen:
            seen = tip
            try:
                yield deploy_stage(ledger, deployment, name, stage)
            except (LockgateError, OSError) as error:
                words = str(error)
        if words and words != said:
            yield None, words
        said = words
        time.sleep(LOOK_SECONDS)


def _slot(deployment: Deployment, name: str, stage: str) -> Slot | None:
    if not deployment.exists():
        return None
    found = (one for one in deployment.pointer().slots if (one.name, one.stage) == (name, stage))
    return next(found, None)
