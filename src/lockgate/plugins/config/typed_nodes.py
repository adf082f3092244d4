"""Typed OmegaConf nodes from the settings of a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from omegaconf import MISSING, DictConfig, OmegaConf

from lockgate.contract.settings import settings_of

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
    hints = settings_of(cls)
    for field in dataclasses.fields(cls):
        if field.init:
            fields.append(
                (field.name, _convert_hint(hints[field.name][0]), _convert_default(field))
            )
    return dataclasses.make_dataclass(cls.__name__, fields)


def _convert_default(field: dataclasses.Field[Any]) -> Any:
    factory = field.default_factory
    if factory is not dataclasses.MISSING:
        value = factory()
        if dataclasses.is_dataclass(value):
            nested_type: type = type(value)
            return dataclasses.field(default_factory=_build_structured(nested_type, ()))
        return dataclasses.field(default_factory=factory)
    default = MISSING if field.default is dataclasses.MISSING else field.default
    return dataclasses.field(default=default)


def _convert_hint(hint: object) -> object:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _build_structured(hint, ())
    if origin is Literal:
        return str
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(_convert_hint(part) for part in args)]  # noqa: UP007  # built from parts
    if origin in (list, dict):
        # OmegaConf rejects integers in a list of floats; our own check validates the elements
        return Any
    return hint
