"""Typed OmegaConf nodes from the settings of a dataclass."""

from __future__ import annotations

import copy
import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, cast

from omegaconf import MISSING, DictConfig, OmegaConf

from lockgate.contract.secrets import Secret
from lockgate.contract.settings import defaults, settings_of

__all__ = ["build_typed_node"]


def build_typed_node(cls: type, leading_keys: Mapping[str, str] | None = None) -> DictConfig:
    """Return a node that rejects overrides of unknown keys and of wrong types.

    Parameters
    ----------
    cls : type
        A dataclass whose fields are settings.
    leading_keys : mapping of str to str, optional
        Keys before the settings, with their values.

    """
    node = OmegaConf.structured(_build_structured(cls, tuple((leading_keys or {}).items())))
    OmegaConf.set_readonly(node, None)
    for name, (hint, _) in settings_of(cls).items():
        if typing.get_origin(hint) is dict:
            OmegaConf.set_struct(node[name], False)
    return typing.cast(DictConfig, node)


@functools.cache
def _build_structured(cls: type, leading_keys: tuple[tuple[str, str], ...]) -> type:
    """Rebuild a dataclass with types that OmegaConf supports."""
    fields: list[Any] = [
        (name, str, dataclasses.field(default=text)) for name, text in leading_keys
    ]
    plain = defaults(cls)
    for name, (hint, _) in settings_of(cls).items():
        fields.append((name, _convert_hint(hint), _convert_default(hint, plain.get(name, MISSING))))
    return dataclasses.make_dataclass(cls.__name__, fields)


def _convert_default(hint: object, plain: Any) -> Any:
    """Return a field for a default, given as plain data."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(plain, dict):
        return dataclasses.field(default_factory=functools.partial(_instance, hint, plain))
    if isinstance(plain, (dict, list)):
        return dataclasses.field(default_factory=functools.partial(copy.deepcopy, plain))
    return dataclasses.field(default=plain)


def _instance(cls: type, plain: Mapping[str, Any]) -> Any:
    """Return the structured form of nested settings, with these values."""
    values = {}
    for name, (hint, _) in settings_of(cls).items():
        value = plain.get(name, MISSING)
        nested = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        values[name] = _instance(cast(type, hint), value) if nested and value != MISSING else value
    return _build_structured(cls, ())(**copy.deepcopy(values))


def _convert_hint(hint: object) -> object:
    """Return the nearest type that OmegaConf has; our own check validates the rest."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _build_structured(hint, ())
    if hint is Secret:
        return str
    if origin is Literal:
        return str if all(isinstance(choice, str) for choice in args) else Any
    if origin in (typing.Union, types.UnionType):
        if any(dataclasses.is_dataclass(part) for part in args):
            return Any  # settings that may be absent
        parts = tuple(_convert_hint(part) for part in args)
        return Any if Any in parts else typing.Union[parts]  # noqa: UP007  # built from parts
    if origin in (list, dict):
        # OmegaConf rejects integers in a list of floats
        return Any
    return hint
