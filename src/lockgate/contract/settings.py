"""Settings of a plugin: typed fields with a range, choices and a line of help."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from lockgate.contract.secrets import Secret
from lockgate.contract.type_names import (
    dataclasses_in,
    holds_parts,
    may_be_secret,
    type_name,
    union_members,
)
from lockgate.errors import SettingError, UnknownKey

__all__ = [
    "Setting",
    "build",
    "check",
    "check_defaults",
    "defaults",
    "setting",
    "settings_of",
]

T = TypeVar("T")
METADATA = "lockgate.setting"
_MISSING: Any = dataclasses.MISSING

HIDDEN = "(not shown)"
"""Shown instead of a value that may be a secret."""

PASSWORD_IN_ADDRESS = re.compile(
    r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@\s:]*:[^/@\s]+@|\S*[?&](?:password|passwd|pwd)=)",
    re.IGNORECASE,
)
"""An address of a server with a password in it."""

UNSET = "???"
"""Value of a required setting in a composed configuration that does not set it."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """The values that a setting allows, beyond its type."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[object, ...] = ()
    help: str = ""

    def allows(self, value: object) -> bool:
        """Return whether the value, or each element of it, is in the range and the choices."""
        if value is None:
            return True
        if isinstance(value, (list, tuple)):
            return all(self.allows(element) for element in value)
        if isinstance(value, dict):
            return all(self.allows(element) for element in value.values())
        if self.choices and value not in self.choices:
            return False
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return True
        return (
            (isinstance(value, int) or math.isfinite(value))
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def describe(self, hint: object) -> str:
        """Describe the allowed values, e.g. ``int, at least 0, at most 12``."""
        parts = [type_name(hint)]
        for label, bound in (
            ("at least", self.at_least),
            ("at most", self.at_most),
            ("above", self.above),
            ("below", self.below),
        ):
            if bound is not None:
                parts.append(f"{label} {bound}")
        if self.choices:
            parts.append("one of " + ", ".join(map(str, self.choices)))
        return ", ".join(parts)


def setting(
    default: T | None = _MISSING,
    *,
    default_factory: Callable[[], T] | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Iterable[object] = (),
    help: str = "",
) -> T:
    """Declare a setting of a plugin.

    Parameters
    ----------
    default : object
        Value of the setting unless the user sets it; lists and dictionaries are
        copied for each instance. A setting without a default is required.
    default_factory : callable, optional
        Makes the default of each instance, e.g. a dataclass of settings.
    at_least, at_most, above, below : float, optional
        Bounds of a number, or of each element of a list of numbers.
    choices : iterable, optional
        The only values allowed.
    help : str, optional
        Description for the documentation and ``lockgate plugins``.

    Examples
    --------
    >>> import lockgate
    >>> @lockgate.plugin
    ... class Round:
    ...     "Round coefficients to `digits` decimal places."
    ...     digits: int = lockgate.setting(3, at_least=0, at_most=12)
    ...     @lockgate.hookimpl
    ...     def compress(self, request):
    ...         return request.candidate
    >>> Round(digits=4).digits
    4
    >>> Round(digits=40)
    Traceback (most recent call last):
    lockgate.errors.SettingError: digits is 40; allowed: int, at least 0, at most 12

    """
    rule = Setting(at_least, at_most, above, below, tuple(choices), help)
    metadata = {METADATA: rule}
    field: Any  # a field stands for its value, as in dataclasses themselves
    if default_factory is not None:
        if default is not _MISSING:
            raise TypeError("pass either a default or a default_factory")
        field = dataclasses.field(default_factory=default_factory, metadata=metadata)
    elif isinstance(default, (list, dict)):
        copied = type(default)
        field = dataclasses.field(default_factory=lambda: copied(default), metadata=metadata)
    else:
        field = dataclasses.field(default=default, metadata=metadata)
    return cast(T, field)


@functools.cache
def settings_of(cls: type) -> dict[str, tuple[Any, Setting]]:
    """Return type hint and rule of each setting of a dataclass, in order."""
    hints = typing.get_type_hints(cls)
    return {
        field.name: (hints[field.name], field.metadata.get(METADATA, Setting()))
        for field in dataclasses.fields(cls)
        if field.init
    }


def defaults(cls: type) -> dict[str, Any]:
    """Return the default of each setting as plain data, without required settings."""
    default_values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        value = _default(field)
        if value is not _MISSING:
            default_values[field.name] = _plain(value)
    return default_values


def _plain(value: Any) -> Any:
    """Return a default as plain data: a dataclass by its values, a secret by its name."""
    if isinstance(value, Secret):
        return value.variable
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in settings_of(type(value))}
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def check(cls: type, values: Mapping[str, Any], key_path: str) -> dict[str, Any]:
    """Check plain data against the settings of a dataclass.

    Parameters
    ----------
    cls : type
        A dataclass, its fields declared with `setting`.
    values : mapping
        Values by name.
    key_path : str
        Dotted path of the settings, for messages.

    Returns
    -------
    dict
        Values of the declared types, as arguments of the constructor.

    Raises
    ------
    UnknownKey
        For a key that is not a setting.
    SettingError
        For a missing key, a wrong type or a value out of range.

    """
    known = settings_of(cls)
    for key in values:
        if key not in known:
            raise UnknownKey(f"{key_path}.{key}", known)
    checked = {}
    required = {f.name for f in dataclasses.fields(cls) if _is_required(f)}
    for name, (hint, rule) in known.items():
        if name in values:
            checked[name] = _check_value(
                hint, rule, values[name], f"{key_path}.{name}" if key_path else name
            )
        elif name in required:
            raise SettingError(
                f"{key_path}.{name}",
                None,
                f"{rule.describe(hint)}; it has no default and must be set",
            )
    return checked


def check_defaults(cls: type) -> None:
    """Check the defaults of a dataclass, and of those in it, against their own types and ranges.

    Raises
    ------
    SettingError
        For the first default that its setting would not allow.

    """
    values = {field.name: _default(field) for field in dataclasses.fields(cls)}
    for name, (hint, rule) in settings_of(cls).items():
        if values[name] is not _MISSING:
            _check_value(hint, rule, values[name], name)
        for part in dataclasses_in(hint):
            check_defaults(part)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def build(cls: type[T], values: Mapping[str, Any], key_path: str) -> T:
    """Check plain data and construct the dataclass from them."""
    return cls(**check(cls, values, key_path))


def _is_required(field: dataclasses.Field[Any]) -> bool:
    no_default = field.default is dataclasses.MISSING
    return no_default and field.default_factory is dataclasses.MISSING


def _check_value(hint: object, rule: Setting, value: object, key: str) -> object:
    import msgspec  # importing lockgate must stay quick

    if value == UNSET:
        raise SettingError(key, None, f"{rule.describe(hint)}; it has no default and must be set")
    for member in union_members(hint):
        if member is Secret and value is not None:
            return _read_secret(value, key)
        if dataclasses.is_dataclass(member) and isinstance(value, (Mapping, cast(type, member))):
            values = value if isinstance(value, Mapping) else vars(value)
            return build(cast(type, member), values, key)
        if holds_parts(member) and isinstance(value, typing.get_origin(member)):
            return _check_parts(member, value, key)
    try:
        converted = msgspec.convert(value, type=hint, strict=True)
    except msgspec.ValidationError:
        shown = HIDDEN if may_be_secret(hint) else value
        raise SettingError(key, shown, rule.describe(hint)) from None
    if isinstance(converted, str) and PASSWORD_IN_ADDRESS.search(converted):
        rule_text = (
            "an address without a password, which parameters would keep in files; name an "
            "environment variable that holds it in the setting for the password"
        )
        raise SettingError(key, HIDDEN, rule_text)
    if not rule.allows(converted):
        raise SettingError(key, value, rule.describe(hint))
    return converted


def _check_parts(hint: object, value: object, key: str) -> object:
    """Check the entries of a list or mapping, each by its own settings."""
    inner = typing.get_args(hint)[-1]
    if isinstance(value, Mapping):
        return {
            name: _check_value(inner, Setting(), entry, f"{key}.{name}")
            for name, entry in value.items()
        }
    entries = enumerate(cast(list[object], value))
    return [_check_value(inner, Setting(), entry, f"{key}.{number}") for number, entry in entries]


def _read_secret(value: object, key: str) -> Secret:
    if isinstance(value, Secret):
        return value
    rule = "the name of an environment variable, e.g. TEAM_PASSWORD"
    if not isinstance(value, str):
        raise SettingError(key, HIDDEN, rule)
    try:
        return Secret(value)
    except ValueError:
        raise SettingError(key, HIDDEN, rule) from None
