"""The decorator that makes a class a plugin, and checks it when it is defined."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import TypeVar, cast, dataclass_transform, overload

from lockgate.contract.hooks import COMPANIONS, EVENTS, OPERATIONS, Events, Operations
from lockgate.contract.secrets import Secret
from lockgate.contract.settings import check, check_defaults, setting, settings_of
from lockgate.contract.type_names import type_name
from lockgate.errors import PluginDefinitionError, SettingError
from lockgate.suggestions import nearest

__all__ = ["RESERVED", "contract_of", "hooks_of", "plugin"]

C = TypeVar("C", bound=type)
CONTRACT_ATTRIBUTE = "__lockgate_contract__"

RESERVED = ("plugin", "provider", "stages")
"""Keys of a plugin's node in the configuration that no setting may be called."""

_PLAIN = (bool, int, float, str, Secret, type(None))


@overload
def plugin(cls: C) -> C: ...
@overload
def plugin(*, contract: int = 1) -> Callable[[C], C]: ...
@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(setting,))
def plugin(cls: type | None = None, *, contract: int = 1) -> object:
    """Make a class a plugin: a dataclass of settings with one hook.

    Parameters
    ----------
    cls : type
        A class with a docstring, typed settings and one ``@lockgate.hookimpl``
        method (or any number of event methods).
    contract : int
        Oldest version of the contract that has everything the plugin uses.

    Raises
    ------
    PluginDefinitionError
        If the class breaks the contract; the message names the class member.

    Notes
    -----
    Settings are checked whenever the plugin is instantiated, by the same rules
    as in a configuration. Instances are hashable by identity. Import heavy
    libraries inside the method: the module is imported to read the settings alone.

    """
    if cls is None:
        return lambda decorated: _define(decorated, contract)
    return _define(cls, contract)


def _define(cls: type, contract: int) -> type:
    _check_docstring(cls)
    if "__init__" in vars(cls):
        raise PluginDefinitionError(
            f"{cls.__qualname__} has its own __init__; declare settings as annotated fields, and "
            "prepare in the method of the hook or in __post_init__"
        )
    _check_hooks(cls)
    _wrap_post_init(cls)
    plugin_class: type = dataclasses.dataclass(eq=False, kw_only=True)(cls)
    _check_settings(plugin_class)
    setattr(plugin_class, CONTRACT_ATTRIBUTE, contract)
    return plugin_class


def contract_of(cls: object) -> int | None:
    """Return the contract version of a plugin class; None if `cls` is not a plugin."""
    return getattr(cls, CONTRACT_ATTRIBUTE, None) if isinstance(cls, type) else None


def hooks_of(cls: type) -> tuple[str, ...]:
    """Return the names of the hooks that a class implements."""
    return tuple(
        name for name in dir(cls) if hasattr(inspect.getattr_static(cls, name), "lockgate_impl")
    )


def _check_docstring(cls: type) -> None:
    if not (cls.__dict__.get("__doc__") or "").strip():
        raise PluginDefinitionError(
            f"{cls.__qualname__} has no docstring; describe in its first line what it does"
        )


def _check_hooks(cls: type) -> None:
    hooks = (*OPERATIONS, *EVENTS)
    marked = hooks_of(cls)
    for name in hooks:
        if callable(getattr(cls, name, None)) and name not in marked:
            raise PluginDefinitionError(
                f"{cls.__qualname__}.{name} has the name of a hook; "
                "mark it with @lockgate.hookimpl or rename it"
            )
    for name in marked:
        if name not in hooks:
            raise PluginDefinitionError(
                f"{cls.__qualname__}.{name} is not a hook{nearest(name, hooks)}; "
                f"available: {', '.join(hooks)}"
            )
        _check_arguments(cls, name)
    operations = [name for name in marked if name in OPERATIONS]
    alone = {name: hook for name, hook in COMPANIONS.items() if name in operations}
    for name, hook in alone.items():
        if hook not in operations:
            raise PluginDefinitionError(
                f"{cls.__qualname__} implements {name} without {hook}; implement both"
            )
    if len(operations) - len(alone) > 1 or not marked:
        raise PluginDefinitionError(
            f"{cls.__qualname__} implements {', '.join(operations) or 'no hook'}; "
            "expected exactly one operation, or events only"
        )


def _check_arguments(cls: type, hook: str) -> None:
    spec = Operations if hook in OPERATIONS else Events
    expected = list(inspect.signature(getattr(spec, hook)).parameters)
    actual = list(inspect.signature(inspect.getattr_static(cls, hook)).parameters)
    if actual != expected:
        raise PluginDefinitionError(
            f"{cls.__qualname__}.{hook} takes ({', '.join(actual)}); "
            f"expected ({', '.join(expected)})"
        )


def _check_settings(cls: type) -> None:
    try:
        settings = settings_of(cls)
    except NameError as error:
        raise PluginDefinitionError(
            f"{cls.__qualname__}: the type of a setting is unknown: {error}; import it, or define "
            "it, at the top of the module"
        ) from None
    for name, (hint, _) in settings.items():
        if name in RESERVED:
            raise PluginDefinitionError(
                f"{cls.__qualname__}.{name}: this name is reserved by lockgate; rename the setting"
            )
        if not _is_configurable(hint):
            raise PluginDefinitionError(
                f"{cls.__qualname__}.{name} is of type {type_name(hint)}; expected "
                "bool, int, float, str, Literal, lockgate.Secret, a dataclass of these, or a list, "
                "dict or optional of them (paths as str)"
            )
    try:
        check_defaults(cls)
    except SettingError as error:
        raise PluginDefinitionError(f"{cls.__qualname__}: the default of {error}") from None


def _is_configurable(hint: object) -> bool:
    if hint in _PLAIN:
        return True
    if dataclasses.is_dataclass(hint):
        return all(_is_configurable(part) for part, _ in settings_of(cast(type, hint)).values())
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return all(isinstance(choice, (str, int)) for choice in typing.get_args(hint))
    if origin is dict and typing.get_args(hint)[0] is not str:
        return False
    allowed = (list, dict, typing.Union, type(int | None))
    return origin in allowed and all(_is_configurable(part) for part in typing.get_args(hint))


def _wrap_post_init(cls: type) -> None:
    """Wrap ``__post_init__`` so that no instance with an invalid value can exist."""
    inner = getattr(cls, "__post_init__", None)

    def check_settings(self: object) -> None:
        values = {name: getattr(self, name) for name in settings_of(cls)}
        for name, value in check(cls, values, "").items():
            setattr(self, name, value)
        if inner is not None:
            inner(self)

    cls.__post_init__ = check_settings  # type: ignore[attr-defined]  # a dataclass calls it
