"""Provenance in a deployment directory: stored by `deploy`, required by `--require-verdict`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lockgate.data.io.atomic import write_file
from lockgate.deployment.directory import Deployment
from lockgate.errors import GateRefused
from lockgate.registry.provenance.provenance import Provenance
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.slots import Slot

__all__ = ["read_signers", "require_provenance", "store_provenance"]


def store_provenance(
    deployment: Deployment, digest: str, stage: str, provenance: Provenance
) -> None:
    """Write the provenance of a bundle in a stage.

    Provenance with a verdict is not replaced by provenance without one.
    """
    path = _provenance_path(deployment, digest, stage)
    if provenance.verdict is not None or not path.is_file():
        write_file(path, provenance.encode())


def require_provenance(
    deployment: Deployment, slots: Iterable[Slot], signers: Signers | None, now: float | None = None
) -> None:
    """Check that the gates passed every bundle that is to be served.

    Parameters
    ----------
    deployment : Deployment
        Directory with the provenance.
    slots : iterable of Slot
        Bundles that are to be served.
    signers : Signers or None
        Allowed signers; None if signatures are not required.
    now : float, optional
        Seconds since 1970 at which the signing keys must be valid; None to skip that check, for
        bundles that are served already.

    Raises
    ------
    GateRefused
        For the first bundle without provenance, or whose provenance does not match.

    """
    for slot in slots:
        path = _provenance_path(deployment, slot.digest, slot.stage)
        subject = f"{slot.name}@{slot.version} ({slot.digest[:12]}) in {slot.stage}"
        if not path.is_file():
            raise GateRefused(
                f"{subject} has no verdict, and this server requires one; deploy it from the "
                f"ledger: lockgate deploy {slot.name}@{slot.stage} {deployment.path}"
            )
        Provenance.decode(path.read_bytes()).check(
            name=slot.name,
            stage=slot.stage,
            version=slot.version,
            digest=slot.digest,
            signers=signers,
            now=now,
        )
        if slot.override:  # the proof is of an earlier promotion
            raise GateRefused(f"{subject}: no passing verdict: its gates were overridden")


def read_signers(path: str) -> Signers | None:
    """Read a file of allowed signers; None if the path is empty."""
    if not path:
        return None
    return Signers.parse(Path(path).read_text(encoding="utf-8", errors="replace"), path)


def _provenance_path(deployment: Deployment, digest: str, stage: str) -> Path:
    return deployment.path / "proofs" / f"{digest}-{stage}.json"
