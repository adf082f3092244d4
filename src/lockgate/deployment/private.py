"""The private deployment directory of a bundle that is served as it is."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.data.io.digests import sha256_text
from lockgate.deployment.control.client import ask
from lockgate.deployment.directory import Deployment
from lockgate.errors import ServingError
from lockgate.models.bundle.manifest import read_manifest

__all__ = ["local_deployment", "private_root"]


def private_root() -> Path:
    """Return where private directories lie: below the user's state, as XDG has it."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "lockgate" / "served"


def local_deployment(bundle: Path) -> Deployment:
    """Deploy a bundle to a directory of its own and return that; the same one every time."""
    path = bundle.resolve()
    name = read_manifest(bundle).name
    deployment = Deployment(private_root() / f"{name[:40]}-{sha256_text(str(path))[:10]}")
    try:
        status = ask(deployment.path, "status")
    except ServingError:
        pass
    else:
        raise ServingError(
            f"{bundle} is served already, at {status['address']}; lockgate deploy BUNDLE "
            f"{deployment.path} changes that, lockgate deploy {bundle} DIR makes another directory"
        )
    deployment.deploy(bundle, reason=f"lockgate serve {path}")
    return deployment
