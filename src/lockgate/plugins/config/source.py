"""What the scheme ``lockgate://`` answers: kinds as groups, installed plugins as options."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, cast

from hydra.plugins.config_source import ConfigLoadError
from omegaconf import DictConfig, ListConfig, OmegaConf

from lockgate.contract.kinds import CONFIGURED
from lockgate.contract.sections import SECTIONS
from lockgate.errors import BackendUnavailable, LockgateError, PluginFailed, SettingError
from lockgate.plugins.config.typed_nodes import typed_node
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.plugins.host.parameters import ORDER, Parameters
from lockgate.plugins.host.provider import provider_of

__all__ = [
    "ROOT",
    "check_composed",
    "is_group",
    "is_option",
    "listed",
    "node_of",
    "reject_resolvers",
]

ROOT = "lockgate"
"""Option at the top: every section, every kind empty, and the order of the compressors."""

_OWN_ORDER = "${lockgate.order:}"


@functools.cache
def catalogue() -> Catalogue:
    """Read the installed plugins once per process."""
    return Catalogue.installed()


def is_group(path: str) -> bool:
    """Whether a path is a kind of plugin."""
    return _bare(path) in {"", *(kind.name for kind in CONFIGURED)}


def is_option(path: str) -> bool:
    """Whether a path is an installed plugin, or the root option."""
    group, _, name = _bare(path).rpartition("/")
    return name == ROOT if not group else name in catalogue().names(group)


def listed(path: str, *, groups: bool, options: bool) -> list[str]:
    """List what is below a path."""
    bare = _bare(path)
    if bare:
        return catalogue().names(bare) if options else []
    kinds = [kind.name for kind in CONFIGURED]
    return sorted((kinds if groups else []) + ([ROOT] if options else []))


def node_of(path: str) -> tuple[DictConfig, str]:
    """Return the typed node of an option and the package it belongs at."""
    group, _, name = _bare(path).rpartition("/")
    if not group:
        return _root(), "_global_"
    try:
        entry = catalogue().find(group, name)
        cls = entry.load()
        keys = {"plugin": name, "provider": provider_of(entry)}
        if group == "gate":
            keys["stages"] = ""
        return typed_node(cls, keys), f"{group}.{name}"
    except LockgateError as error:
        raise _refusal(error) from None


def reject_resolvers(config: DictConfig) -> None:
    """Refuse interpolations that call something: the result is saved, secrets with it.

    ``${project.name}`` refers to another value and is fine; ``${oc.env:TOKEN}``
    would write a secret into ``params.yaml``.
    """
    for key, value in _texts(OmegaConf.to_container(config, resolve=False)):
        if "${" in value and ":" in value and value != _OWN_ORDER:
            allowed = (
                "plain values and references like ${project.name}; name secrets, never resolve them"
            )
            raise SettingError(key, value, allowed)


def _texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, at)
    elif isinstance(value, str):
        yield at, value


def check_composed(document: dict[str, Any]) -> None:
    """Check a composed configuration whole, the backend's device included."""
    checked = Parameters.check(document, catalogue())
    host = Host("composition")
    host.plug_chosen(checked.chosen["backend"])
    chosen = checked.one("backend").name
    try:
        host.call("backend", chosen)
    except PluginFailed as error:
        raise BackendUnavailable(str(error)) from None


def _root() -> DictConfig:
    # DVC resolves in place and key by key, so the key that checks the tree comes first:
    # it must see what was written, not what it was resolved to. It is a value of its own
    # because a stage's parameters ignore the order of keys.
    root = OmegaConf.create({ORDER: _OWN_ORDER})
    for key, cls in SECTIONS.items():
        root[key] = typed_node(cls)
    for kind in CONFIGURED:
        root[kind.name] = {}
    return root


def _order(*, _root_: DictConfig, _parent_: DictConfig) -> ListConfig:
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


OmegaConf.register_new_resolver("lockgate.order", _order, replace=True)


def _refusal(error: LockgateError) -> Exception:
    """Turn an error of ours into one that Hydra and DVC print as a line."""
    try:
        from dvc.exceptions import DvcException
    except ImportError:
        bases: tuple[type[Exception], ...] = (ConfigLoadError,)
    else:
        bases = (ConfigLoadError, DvcException)
    made: Exception = type("Refused", bases, {})(str(error))
    made.original = error  # type: ignore[attr-defined]  # read by lockgate.plugins.config.compose
    return made


def _bare(path: str) -> str:
    return path.strip("/").removesuffix(".yaml")
