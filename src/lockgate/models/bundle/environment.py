"""The versions that a bundle was made with, and whether those here will do."""

from __future__ import annotations

import logging
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lockgate.errors import EnvironmentMismatch
from lockgate.models.bundle.manifest import Environment
from lockgate.models.packed.format.header import VERSION

__all__ = ["check_environment", "environment_of"]

log = logging.getLogger("lockgate.open")

READER = "packed reader"
TRAINING = ("pandas", "scikit-learn", "scipy", "lightgbm", "xgboost", "skops")
STRICT = ("scikit-learn", "skops", "lightgbm", "xgboost")
"""Libraries whose minor releases may change answers or cannot read each other's models."""


def environment_of(plugin: Any) -> Environment:
    """Return the versions of what a format's answers depend on, and of what is used to train.

    Parameters
    ----------
    plugin : class
        The format's plugin; its `needs` names distributions.

    """
    needs = getattr(plugin, "needs", ())
    answers = {"python": platform.python_version(), READER: str(VERSION)}
    answers |= {name: _version(name) or "" for name in needs}
    training = {"machine": f"{platform.system()} {platform.machine()}"}
    training |= {name: installed for name in TRAINING if (installed := _version(name))}
    if blas := _blas():
        training["blas"] = blas
    return Environment(answers, training)


def check_environment(answers: dict[str, str], subject: str) -> None:
    """Hold the versions that answers depend on against those here.

    The same: nothing is said. Compatible: a note in the log. Otherwise refused.

    Raises
    ------
    EnvironmentMismatch
        With the command that makes the right environment.

    """
    local_versions = {"python": platform.python_version(), READER: str(VERSION)}
    differing: list[tuple[str, str, str]] = []
    incompatible: list[tuple[str, str, str]] = []
    for name, required in sorted(answers.items()):
        installed = local_versions.get(name) or _version(name)
        if installed == required:
            continue
        difference = f"{name} {required}, here {installed or 'none'}"
        (incompatible if _incompatible(name, required, installed) else differing).append(
            (name, required, difference)
        )
    if incompatible:
        differences = "; ".join(difference for _, _, difference in incompatible)
        raise EnvironmentMismatch(f"{subject} was made with {differences}; {_remedy(incompatible)}")
    if differing:
        differences = "; ".join(difference for _, _, difference in differing)
        log.info("%s was made with %s; its probe rows decide", subject, differences)


def _incompatible(name: str, required: str, installed: str | None) -> bool:
    if installed is None:
        return True
    if name == READER:
        return int(installed) < int(required) if required.isdigit() else True
    parts = 2 if name in STRICT else 1
    return required.split(".")[:parts] != installed.split(".")[:parts]


def _remedy(incompatible: list[tuple[str, str, str]]) -> str:
    names = {name: required for name, required, _ in incompatible}
    if READER in names:
        return "pip install --upgrade lockgate"
    if "python" in names:
        return f"use Python {names['python']}"
    pinned = " ".join(f"'{name}=={required}'" for name, required in names.items())
    return f"pip install {pinned}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _blas() -> str:
    """Name the BLAS kernels that are loaded; they decide the last digits of linear models."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return ""
    kernels = {
        f"{info.get('internal_api')} {info.get('version')} {info.get('architecture', '')}".strip()
        for info in threadpool_info()
        if info.get("user_api") == "blas"
    }
    return ", ".join(sorted(kernels))
