"""Composes ``conf/`` and overrides into the document that becomes ``params.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lockgate.config.options import catalogue
from lockgate.errors import LockgateError, UnknownPlugin, UsageError
from lockgate.spec.kinds import KINDS

__all__ = ["CONF", "compose_document"]

CONF = "conf"
"""Folder of a project's own choices."""


def compose_document(root: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose the configuration of a project, checked whole.

    Parameters
    ----------
    root : pathlib.Path
        The project.
    overrides : sequence of str
        In Hydra's grammar, e.g. ``model=boosting``.

    Raises
    ------
    UsageError
        If it cannot be composed; the message says what was meant and what is there.
    LockgateError
        Whatever the check of the finished document finds.
    """
    folder = (root / CONF).absolute()
    if not (folder / "config.yaml").is_file():
        raise UsageError(f"no {CONF}/config.yaml in {root}; make a project with: lockgate init")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            config = compose("config", overrides=list(overrides))
        return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    except LockgateError:
        raise
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _readable(error, overrides) from None


def _readable(error: BaseException, overrides: Sequence[str]) -> LockgateError:
    """Find our own error in a chain, or put Hydra's words on one line."""
    link: BaseException | None = error
    words = []
    while link is not None:
        original = getattr(link, "original", link)
        if isinstance(original, LockgateError):
            return original
        words.append(" ".join(str(link).split()))
        link = link.__cause__ or link.__context__
    return _unknown_option(overrides) or UsageError("; ".join(dict.fromkeys(words)))


def _unknown_option(overrides: Sequence[str]) -> LockgateError | None:
    """Say which plugin name is unknown, in our own words."""
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        group = key.partition("@")[0]
        if group not in {kind.name for kind in KINDS}:
            continue
        for name in value.strip("[]").split(","):
            known = catalogue().names(group)
            if name.strip() and name.strip() not in known:
                return UnknownPlugin(group, name.strip(), known)
    return None
