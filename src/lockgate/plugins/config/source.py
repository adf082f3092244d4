"""Content of the scheme ``lockgate://``: kinds as groups, installed plugins as options."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, cast

from hydra.plugins.config_source import ConfigLoadError
from omegaconf import DictConfig, ListConfig, OmegaConf

from lockgate.contract.kinds import CONFIGURED
from lockgate.contract.sections import SECTIONS
from lockgate.errors import BackendUnavailable, LockgateError, PluginFailed, SettingError
from lockgate.plugins.config.dvc_composition import check_dvc_composition
from lockgate.plugins.config.typed_nodes import build_typed_node
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.plugins.host.parameters import ORDER, Parameters
from lockgate.plugins.host.provider import identify_provider

__all__ = [
    "ROOT",
    "build_node",
    "check_composed",
    "is_group",
    "is_option",
    "list_options",
    "reject_resolvers",
]

ROOT = "lockgate"
"""The root option: all sections, all kinds without plugins, the order of compressors."""

_ORDER_INTERPOLATION = "${lockgate.order:}"


@functools.cache
def catalogue() -> Catalogue:
    """Return the installed plugins, read once per process."""
    return Catalogue.installed()


def is_group(path: str) -> bool:
    """Return whether a path is a kind of plugin."""
    return _normalize_path(path) in {"", *(kind.name for kind in CONFIGURED)}


def is_option(path: str) -> bool:
    """Return whether a path is an installed plugin, or the root option."""
    group, _, name = _normalize_path(path).rpartition("/")
    return name == ROOT if not group else name in catalogue().names(group)


def list_options(path: str, *, groups: bool, options: bool) -> list[str]:
    """List the groups and options below a path."""
    bare = _normalize_path(path)
    if bare:
        return catalogue().names(bare) if options else []
    kinds = [kind.name for kind in CONFIGURED]
    return sorted((kinds if groups else []) + ([ROOT] if options else []))


def build_node(path: str) -> tuple[DictConfig, str]:
    """Return the typed node of an option, and its package in the configuration."""
    group, _, name = _normalize_path(path).rpartition("/")
    if not group:
        return _build_root(), "_global_"
    try:
        entry = catalogue().find(group, name)
        cls = entry.load()
        keys = {"plugin": name, "provider": identify_provider(entry)}
        if group == "gate":
            keys["stages"] = ""
        return build_typed_node(cls, keys), f"{group}.{name}"
    except LockgateError as error:
        raise _convert_error(error) from None


def reject_resolvers(config: DictConfig) -> None:
    """Reject interpolations that call a resolver, since the result is saved.

    ``${project.name}`` refers to another value and is allowed; ``${oc.env:TOKEN}``
    would write a secret to ``params.yaml``.
    """
    for key, value in _iterate_texts(OmegaConf.to_container(config, resolve=False)):
        if "${" in value and ":" in value and value != _ORDER_INTERPOLATION:
            allowed = (
                "plain values and references like ${project.name}; resolvers would save secrets"
            )
            raise SettingError(key, value, allowed)


def _iterate_texts(value: object, key_path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _iterate_texts(inner, f"{key_path}.{key}" if key_path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _iterate_texts(inner, key_path)
    elif isinstance(value, str):
        yield key_path, value


def check_composed(document: dict[str, Any]) -> None:
    """Check all of a composed configuration, the device of the backend included."""
    checked = Parameters.check(document, catalogue())
    host = Host("composition")
    host.register_choices(checked.chosen["backend"])
    chosen = checked.single("backend").name
    try:
        host.call("backend", chosen)
    except PluginFailed as error:
        raise BackendUnavailable(str(error)) from None


def _build_root() -> DictConfig:
    # DVC resolves values in place, key by key. The key whose resolver checks the whole tree
    # comes first, so that it sees values as they were written. The order is a separate value
    # because a stage's parameters ignore the order of keys.
    root = OmegaConf.create({ORDER: _ORDER_INTERPOLATION})
    for key, cls in SECTIONS.items():
        root[key] = build_typed_node(cls)
    for kind in CONFIGURED:
        root[kind.name] = {}
    return root


def _resolve_order(*, _root_: DictConfig, _parent_: DictConfig) -> ListConfig:
    check_dvc_composition()
    reject_resolvers(_root_)
    document = {
        str(key): OmegaConf.to_container(_root_[key], resolve=True)
        if OmegaConf.is_config(_root_[key])
        else _root_[key]
        for key in _root_
        if key != ORDER
    }
    check_composed(document)
    return ListConfig(list(cast(Any, document["compressor"])), parent=_parent_)


OmegaConf.register_new_resolver("lockgate.order", _resolve_order, replace=True)


def _convert_error(error: LockgateError) -> Exception:
    """Convert an error of ours to one that Hydra and DVC print as a single line."""
    try:  # here, since importing DVC is slow
        from dvc.exceptions import DvcException
    except ImportError:
        bases: tuple[type[Exception], ...] = (ConfigLoadError,)
    else:
        bases = (ConfigLoadError, DvcException)
    wrapped: Exception = type("Refused", bases, {})(str(error))
    wrapped.original = error  # type: ignore[attr-defined]  # read by lockgate.plugins.config.compose
    return wrapped


def _normalize_path(path: str) -> str:
    return path.strip("/").removesuffix(".yaml")
