"""The proofs that lie in a deployment directory, and what a server demands of them."""

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


def store_provenance(deployment: Deployment, digest: str, stage: str, proof: Provenance) -> None:
    """Lay a proof beside the pointer; one with a verdict is not given up for one without."""
    path = _provenance_path(deployment, digest, stage)
    if proof.verdict is not None or not path.is_file():
        write_file(path, proof.encode())


def require_provenance(
    deployment: Deployment, slots: Iterable[Slot], signers: Signers | None, now: float | None = None
) -> None:
    """See that everything that is to be served passed its gates.

    Parameters
    ----------
    deployment : Deployment
        Where the proofs lie.
    slots : iterable of Slot
        What is to be served.
    signers : Signers or None
        Who may sign; None where signatures are not asked for.
    now : float, optional
        Seconds since 1970 at which their keys must hold; None for what is served already.

    Raises
    ------
    GateRefused
        Naming the first that has none, or another one.

    """
    for slot in slots:
        path = _provenance_path(deployment, slot.digest, slot.stage)
        subject = f"{slot.name}@{slot.version} ({slot.digest[:12]}) in {slot.stage}"
        if not path.is_file():
            raise GateRefused(
                f"{subject}: there is no verdict, and this server demands one; it comes from the "
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


def read_signers(path: str) -> Signers | None:
    """Read a file of allowed signers; an empty path stands for none."""
    if not path:
        return None
    return Signers.parse(Path(path).read_text(encoding="utf-8", errors="replace"), path)


def _provenance_path(deployment: Deployment, digest: str, stage: str) -> Path:
    return deployment.path / "proofs" / f"{digest}-{stage}.json"
