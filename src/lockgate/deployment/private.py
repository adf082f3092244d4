"""The private deployment directory of a local bundle that is served without deploying it."""

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
    """Return the parent of all private directories, in the user's XDG state directory."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "lockgate" / "served"


def local_deployment(bundle: Path) -> Deployment:
    """Deploy a bundle to its private directory, which depends on the bundle's path only.

    Raises
    ------
    ServingError
        If a server is already running on that directory.

    """
    path = bundle.resolve()
    name = read_manifest(bundle).name
    deployment = Deployment(private_root() / f"{name[:40]}-{sha256_text(str(path))[:10]}")
    try:
        status = ask(deployment.path, "status")
    except ServingError:
        pass
    else:
        raise ServingError(
            f"{bundle} is already served at {status['address']}; to replace it: lockgate deploy "
            f"BUNDLE {deployment.path}; to serve it elsewhere: lockgate deploy {bundle} DIR"
        )
    deployment.deploy(bundle, reason=f"lockgate serve {path}")
    return deployment
