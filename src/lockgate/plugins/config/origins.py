"""Finds where each composed value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from lockgate.plugins.config.choices import CONF
from lockgate.plugins.config.flat import flatten
from lockgate.plugins.config.source import ROOT, build_node

__all__ = ["find_origins"]


def find_origins(root: Path, overrides: Sequence[str] = ()) -> dict[str, str]:
    """Return the origin of each composed value by its dotted key.

    Hydra merges the entries of its defaults list in order; the last one with a key
    decides, and overrides precede them all.
    """
    GlobalHydra.instance().clear()
    origin_by_key: dict[str, str] = {}
    with initialize_config_dir(str((root / CONF).absolute()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        loader = hydra.config_loader
        defaults_list = loader.compute_defaults_list("config", list(overrides), RunMode.RUN)
        repository = loader.repository  # type: ignore[attr-defined]  # of the only implementation
        for default in defaults_list.defaults:
            path = default.config_path or ""
            if path.startswith(("hydra/", "_dummy")) or not path:
                continue
            # the loader's repository has only conf/, not the search path in config.yaml
            loaded = repository.load_config(path)
            config = build_node(path)[0] if loaded is None else loaded.config
            source = f"{CONF}/{path}.yaml" if loaded else _describe_default(path)
            node = OmegaConf.to_container(config, resolve=False)
            package = default.package or ""
            for key in flatten(node):
                dotted = f"{package}.{key}" if package and key else package or key
                if not dotted.startswith("hydra."):
                    origin_by_key[dotted] = source
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = (override.key_or_group or "").replace("/", ".")
        if key in origin_by_key and not override.is_delete():
            origin_by_key[key] = f"override {override.input_line}"
    return origin_by_key


def _describe_default(path: str) -> str:
    return "lockgate's default" if path == ROOT else f"default of {path}"
