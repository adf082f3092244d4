"""Creates an environment with the versions that a bundle records."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lockgate.data.io.visible import visible
from lockgate.errors import LedgerError
from lockgate.models.bundle.environment import pin
from lockgate.models.bundle.manifest import Manifest

__all__ = ["create_environment", "requirements_of"]

SECONDS = 3600.0
NOT_INSTALLED = ("python", "packed reader", "machine", "blas")
"""Entries of a recorded environment that are not distributions."""


def requirements_of(manifest: Manifest) -> list[str]:
    """Return pip's requirements: recorded versions, and lockgate and its plugins as here.

    A bundle records the code of lockgate and of plugins by digest. The pipeline
    refuses to run with other code, so that installing them from the same source as
    here is safe.
    """
    recorded = {**manifest.environment.training, **manifest.environment.answers}
    pins = []
    for name, version in sorted(recorded.items()):
        if name in NOT_INSTALLED:
            continue
        requirement = pin(name, version)
        if requirement is None:
            raise LedgerError(
                f"the recorded environment names {visible(f'{name} {version}')}, which is not a "
                "distribution and its version"
            )
        pins.append(requirement)
    providers = {code.partition("@")[0] for code in manifest.hashes.code.values()}
    return [*pins, *(_source(name) for name in sorted(providers | {"lockgate"}))]


def create_environment(manifest: Manifest, folder: Path) -> Path:
    """Create the environment and return its interpreter.

    Raises
    ------
    LedgerError
        If this is another Python than the recorded one, or pip fails.

    """
    recorded = manifest.environment.answers.get("python", "")
    running = ".".join(map(str, sys.version_info[:2]))
    if recorded and ".".join(recorded.split(".")[:2]) != running:
        raise LedgerError(f"expected Python {recorded}, with which it was built, got {running}")
    _run([sys.executable, "-P", "-m", "venv", str(folder)])
    python = folder / "bin" / "python"
    _run(
        [
            str(python),
            "-P",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *requirements_of(manifest),
        ]
    )
    return python


def _source(name: str) -> str:
    """Return the requirement that installs a distribution as it is installed here."""
    extra = "[pipeline]" if name == "lockgate" else ""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise LedgerError(f"{name}, which it was built with, is not installed here") from None
    direct = distribution.read_text("direct_url.json")
    if direct is not None:
        url = urlsplit(str(json.loads(direct)["url"]))
        if url.scheme == "file":
            return f"{unquote(url.path)}{extra}"
    return f"{name}{extra}=={distribution.version}"


def _run(argv: list[str]) -> None:
    completed = subprocess.run(
        argv, capture_output=True, text=True, timeout=SECONDS, check=False
    )  # our own interpreter
    if completed.returncode:
        message = " ".join((completed.stderr or completed.stdout).split())
        raise LedgerError(f"cannot create the recorded environment: {message[-500:]}")
