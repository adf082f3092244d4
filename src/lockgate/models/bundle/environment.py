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
    training |= {name: found for name in TRAINING if (found := _version(name))}
    if blas := _blas():
        training["blas"] = blas
    return Environment(answers, training)


def check_environment(answers: dict[str, str], who: str) -> None:
    """Hold the versions that answers depend on against those here.

    The same: nothing is said. Compatible: a note in the log. Otherwise refused.

    Raises
    ------
    EnvironmentMismatch
        With the command that makes the right environment.

    """
    here = {"python": platform.python_version(), READER: str(VERSION)}
    differing: list[tuple[str, str, str]] = []
    wrong: list[tuple[str, str, str]] = []
    for name, wanted in sorted(answers.items()):
        found = here.get(name) or _version(name)
        if found == wanted:
            continue
        words = f"{name} {wanted}, here {found or 'none'}"
        (wrong if _incompatible(name, wanted, found) else differing).append((name, wanted, words))
    if wrong:
        listed = "; ".join(words for _, _, words in wrong)
        raise EnvironmentMismatch(f"{who} was made with {listed}; {_remedy(wrong)}")
    if differing:
        listed = "; ".join(words for _, _, words in differing)
        log.info("%s was made with %s; its probe rows decide", who, listed)


def _incompatible(name: str, wanted: str, found: str | None) -> bool:
    if found is None:
        return True
    if name == READER:
        return int(found) < int(wanted) if wanted.isdigit() else True
    parts = 2 if name in STRICT else 1
    return wanted.split(".")[:parts] != found.split(".")[:parts]


def _remedy(wrong: list[tuple[str, str, str]]) -> str:
    names = {name: wanted for name, wanted, _ in wrong}
    if READER in names:
        return "pip install --upgrade lockgate"
    if "python" in names:
        return f"use Python {names['python']}"
    pinned = " ".join(f"'{name}=={wanted}'" for name, wanted in names.items())
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
    found = {
        f"{info.get('internal_api')} {info.get('version')} {info.get('architecture', '')}".strip()
        for info in threadpool_info()
        if info.get("user_api") == "blas"
    }
    return ", ".join(sorted(found))
