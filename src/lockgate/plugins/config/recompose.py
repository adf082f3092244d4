"""Composition from ``params.yaml`` instead of ``conf/``, for ``lockgate run --keep``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lockgate.contract.kinds import CONFIGURED
from lockgate.errors import UsageError
from lockgate.plugins.config.override_errors import root_lockgate_error, unknown_key_error
from lockgate.plugins.config.source import build_node, catalogue, check_composed
from lockgate.plugins.host.parameters import ORDER, Parameters

__all__ = ["recompose"]

_GROUPS = {kind.name: kind for kind in CONFIGURED}


def recompose(params: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply overrides to parameters, and record the installed code of the plugins.

    A plugin that remains chosen keeps its settings; a newly chosen one gets its
    defaults.
    """
    Parameters.check(params, catalogue())
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        groups = [override for override in parsed if override.key_or_group in _GROUPS]
        values = [override for override in parsed if override.key_or_group not in _GROUPS]
        updated = {**params}
        for override in groups:
            updated[override.key_or_group] = _build_nodes(params, override)
        config = _build_typed_config(updated)
        order = [name for name in params.get(ORDER) or [] if name in updated["compressor"]]
        order += [name for name in updated["compressor"] if name not in order]
        config[ORDER] = order
        OmegaConf.set_struct(config, True)
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        message = " ".join(str(error).split())
        raise (
            root_lockgate_error(error)
            or unknown_key_error(params, overrides)
            or UsageError(message)
        ) from None
    document = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    check_composed(document)
    return document


def _build_nodes(params: dict[str, Any], override: Override) -> dict[str, Any]:
    """Return the nodes of a group override such as ``model=boosting``."""
    group = override.key_or_group
    value = override.value()
    names = value if isinstance(value, list) else [value]
    if override.is_delete() or override.is_add() or override.package:
        raise UsageError(
            f"with --keep, write {group}=NAME or {group}=[NAMES], got {override.input_line}"
        )
    before = params.get(group) or {}
    return {str(name): before.get(str(name), {"plugin": str(name)}) for name in names}


def _build_typed_config(params: dict[str, Any]) -> DictConfig:
    """Merge values of a file into typed nodes, so that Hydra checks the types of overrides."""
    root, _ = build_node("lockgate")
    config = root
    for key, value in params.items():
        if key in _GROUPS:
            for instance, settings in (value or {}).items():
                node, _ = build_node(f"{key}/{settings.get('plugin', instance)}")
                rest = {name: setting for name, setting in settings.items() if name != "provider"}
                config[key][instance] = OmegaConf.merge(node, rest)
        elif key in config and key != ORDER:
            config[key] = OmegaConf.merge(config[key], value)
        elif key != ORDER:
            config[key] = value
    return config
