"""The versions that a bundle was made with, compared with those installed."""

from __future__ import annotations

import logging
import platform
import re
from importlib.metadata import PackageNotFoundError, version

from lockgate.errors import EnvironmentMismatch
from lockgate.models.bundle.manifest import Environment
from lockgate.models.packed.format.header import VERSION
from lockgate.plugins.host.catalogue import InstalledPlugin

__all__ = ["check_environment", "environment_of", "pin"]

DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""Names of distributions, as of packaging.python.org's name normalization."""

RELEASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]*")
"""Versions that pip takes."""

log = logging.getLogger("lockgate.open")

READER = "packed reader"
TRAINING = ("pandas", "scikit-learn", "scipy", "lightgbm", "xgboost", "skops")
STRICT = ("scikit-learn", "skops", "lightgbm", "xgboost")
"""Libraries whose minor releases may change predictions or cannot read each other's models."""


def environment_of(format_plugin: InstalledPlugin) -> Environment:
    """Return the versions that a format's predictions depend on, and those used to train.

    Parameters
    ----------
    format_plugin : InstalledPlugin
        The format; the attribute `needs` of its class lists distributions. Its own is always
        among them, if it is not lockgate's.

    """
    needs = list(getattr(format_plugin.load(), "needs", ()))
    if format_plugin.distribution != "lockgate":
        needs.append(format_plugin.distribution)
    answers = {"python": platform.python_version(), READER: str(VERSION)}
    answers |= {name: _version(name) or "" for name in needs}
    training = {"machine": f"{platform.system()} {platform.machine()}"}
    training |= {name: installed for name in TRAINING if (installed := _version(name))}
    if blas := _blas():
        training["blas"] = blas
    return Environment(answers, training)


def check_environment(answers: dict[str, str], subject: str) -> None:
    """Compare the versions that predictions depend on with those installed.

    Compatible differences are logged; all others are an error.

    Raises
    ------
    EnvironmentMismatch
        If a version is incompatible, with the command that installs the right one.

    """
    local_versions = {"python": platform.python_version(), READER: str(VERSION)}
    differing: list[tuple[str, str, str]] = []
    incompatible: list[tuple[str, str, str]] = []
    for name, required in sorted(answers.items()):
        installed = local_versions.get(name) or _version(name)
        if installed == required:
            continue
        difference = f"{name} {required} (installed: {installed or 'none'})"
        (incompatible if _incompatible(name, required, installed) else differing).append(
            (name, required, difference)
        )
    if incompatible:
        differences = "; ".join(difference for _, _, difference in incompatible)
        raise EnvironmentMismatch(f"{subject} was made with {differences}; {_remedy(incompatible)}")
    if differing:
        differences = "; ".join(difference for _, _, difference in differing)
        log.info("%s was made with %s; its probe rows are checked", subject, differences)


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
    pinned = [pin(name, required) for name, required in names.items() if _version(name)]
    if len(pinned) < len(names) or None in pinned:
        # a name that only the bundle knows is not made a command: its author would run code here
        return "install what it needs, if you trust where it comes from"
    return "pip install " + " ".join(f"'{requirement}'" for requirement in pinned)


def pin(name: str, required: str) -> str | None:
    """Return pip's requirement for a recorded version; None if it is not a name and a version.

    Examples
    --------
    >>> pin("numpy", "2.1.0")
    'numpy==2.1.0'
    >>> pin("--index-url", "https://example.org")

    """
    if DISTRIBUTION.fullmatch(name) and RELEASE.fullmatch(required):
        return f"{name}=={required}"
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except (PackageNotFoundError, ValueError):  # an empty name is a value error
        return None


def _blas() -> str:
    """Return the BLAS kernels that are loaded; they decide the last digits of linear models."""
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
