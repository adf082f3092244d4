"""Deployment files for a server: a systemd unit, a container image, Kubernetes manifests."""

from __future__ import annotations

from pathlib import Path
from string import Template

from lockgate._version import __version__
from lockgate.data.io.atomic import write_file
from lockgate.deployment.directory import Deployment
from lockgate.errors import UsageError

__all__ = ["TARGETS", "write_target"]

TEMPLATES = Path(__file__).parent / "templates"

TARGETS = {
    "systemd": ("lockgate-serve.service",),
    "docker": ("Dockerfile", ".dockerignore"),
    "kubernetes": ("kubernetes.yaml",),
}
"""File names of each target."""


def write_target(target: str, deployment: Deployment) -> list[Path]:
    """Write a target's files into the deployment directory and return their paths.

    Parameters
    ----------
    target : {"systemd", "docker", "kubernetes"}
        The platform.
    deployment : Deployment
        The directory.

    Raises
    ------
    UsageError
        If the target is unknown.

    """
    if target not in TARGETS:
        raise UsageError(f"unknown target {target!r}; available: {', '.join(TARGETS)}")
    names = sorted({slot.name for slot in deployment.pointer().slots})
    substitutions = {
        "directory": str(deployment.path),
        "name": names[0].lower().replace("_", "-").replace(".", "-").replace("+", "-"),
        "names": ", ".join(names),
        "version": __version__,
        "versions": " ".join(sorted({slot.version for slot in deployment.pointer().slots})),
    }
    paths = []
    for name in TARGETS[target]:
        template = Template((TEMPLATES / f"{name}.template").read_text(encoding="utf-8"))
        write_file(deployment.path / name, template.substitute(substitutions))
        paths.append(deployment.path / name)
    return paths
