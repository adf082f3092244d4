"""Composes ``conf/`` and overrides into the parameters that are written to ``params.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lockgate.contract.kinds import CONFIGURED
from lockgate.errors import LockgateError, UsageError
from lockgate.plugins.config.choices import CONF, Choices, check_include, read_choices
from lockgate.plugins.config.folder import check_folder
from lockgate.plugins.config.override_errors import (
    error_of_files,
    root_lockgate_error,
    unknown_choice_error,
    unknown_key_error,
)
from lockgate.plugins.config.source import check_composed, reject_resolvers
from lockgate.plugins.config.stamp import CONTRACTS
from lockgate.plugins.host.params_file import read_yaml

__all__ = ["compose_document"]


def compose_document(root: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose the configuration of a project, and check all of it.

    Parameters
    ----------
    root : pathlib.Path
        Directory of the project.
    overrides : sequence of str
        In Hydra's grammar, e.g. ``model=boosting``.

    Raises
    ------
    UsageError
        If it cannot be composed; the message suggests the available options.
    LockgateError
        If the composed parameters are invalid.

    """
    folder = (root / CONF).absolute()
    if not (folder / "config.yaml").is_file():
        raise UsageError(f"{root} has no {CONF}/config.yaml; create a project with: lockgate init")
    check_folder(folder)
    for file in sorted(folder.rglob("*.yaml")):
        if file.parent != folder / CONTRACTS.name:
            read_yaml(file)
    if read_choices(root) != Choices():
        check_include(root)
    try:
        document = _compose(folder, overrides)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explain_error(folder, overrides, error) from None
    check_composed(document)
    return document


def _compose(folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), version_base="1.3"):
        config = compose("config", overrides=list(overrides))
    reject_resolvers(config)
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))


def _is_group_override(folder: Path, override: str) -> bool:
    name = override.lstrip("+~").partition("=")[0].partition("@")[0]
    return name in {kind.name for kind in CONFIGURED} or (bool(name) and (folder / name).is_dir())


def _explain_error(folder: Path, overrides: Sequence[str], error: Exception) -> LockgateError:
    """Convert an error of Hydra's to one of ours, by our own checks where they find the cause."""
    lockgate_error = root_lockgate_error(error) or unknown_choice_error(folder, overrides)
    if lockgate_error is not None:
        return lockgate_error
    groups = [override for override in overrides if _is_group_override(folder, override)]
    try:
        base_document = _compose(folder, groups)
    except (HydraException, OmegaConfBaseException, ValueError):
        base_document = {}
    return (
        unknown_key_error(base_document, overrides)
        or error_of_files(folder, str(error))
        or UsageError(" ".join(str(error).split()) or repr(error.__cause__ or error))
    )
