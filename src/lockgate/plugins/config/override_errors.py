"""Explains invalid overrides: which plugin or key is unknown, and what is available."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lockgate.contract.sections import SECTIONS
from lockgate.contract.settings import settings_of
from lockgate.errors import LockgateError, SettingError, UnknownKey, UnknownPlugin, UsageError
from lockgate.plugins.config.choices import KINDS
from lockgate.plugins.config.overrides import convert_to_plain, parse_overrides
from lockgate.plugins.config.source import catalogue
from lockgate.plugins.host.parameters import Parameters
from lockgate.suggestions import nearest

__all__ = [
    "error_of_files",
    "root_lockgate_error",
    "unknown_choice_error",
    "unknown_key_error",
]

_NOT_FOUND = re.compile(r"In '([^']+)': Could not find '([\w-]+)/([^']+)'")
_UNKNOWN_KEY = re.compile(r"In '([^']+)': ConfigKeyError.*?full_key: (\S+)", re.DOTALL)
_INVALID = re.compile(r"In '([^']+)': ValidationError raised[^:]*:(.*?)full_key: (\S+)", re.DOTALL)
"""What Hydra says of the files of a project."""


def root_lockgate_error(error: BaseException) -> LockgateError | None:
    """Return the error of lockgate among the causes of Hydra's, if there is any."""
    link: BaseException | None = error
    while link is not None:
        original = getattr(link, "original", link)
        if isinstance(original, LockgateError):
            return original
        link = link.__cause__ or link.__context__
    return None


def unknown_choice_error(folder: Path, overrides: Sequence[str]) -> LockgateError | None:
    """Return the error for an unknown plugin, or for a missing file of ``conf/``."""
    for override in parse_overrides(overrides):
        group = override.key_or_group
        value: object = override.value()
        names = value if isinstance(value, list) else [value]
        options = [path.stem for path in sorted((folder / group).glob("*.yaml"))]
        if group in KINDS:
            options += catalogue().names(group)
        elif not group or not (folder / group).is_dir():
            continue
        for name in names:
            if name is None or str(name) in options or override.is_delete():
                continue
            if group in KINDS:
                return UnknownPlugin(group, str(name), options)
            available = ", ".join(options)
            return UsageError(
                f"no {group} named {str(name)!r}{nearest(str(name), options)}; "
                f"available in conf/{group}: {available}"
            )
    return None


def error_of_files(folder: Path, message: str) -> LockgateError | None:
    """Return the error for an unknown plugin, file or key in the files of ``conf/``."""
    if match := _NOT_FOUND.search(message):
        file, group, name = match.groups()
        options = [path.stem for path in sorted((folder / group).glob("*.yaml"))]
        if group in KINDS:
            options += catalogue().names(group)
        return UsageError(
            f"conf/{file}.yaml or a recorded choice has {group}={name}, and no {group} has that "
            f"name{nearest(name, options)}; available: {', '.join(options) or 'none'}"
        )
    if match := _UNKNOWN_KEY.search(message):
        file, key = match.groups()
        section = SECTIONS.get(key.partition(".")[0])
        available = [] if section is None else [*settings_of(section)]
        last = key.rpartition(".")[2]
        listed = f"; available: {', '.join(available)}" if available else ""
        return UsageError(
            f"conf/{file}.yaml: unknown key {key!r}{nearest(last, available)}{listed}"
        )
    if match := _INVALID.search(message):
        file, problem, key = match.groups()
        return UsageError(f"conf/{file}.yaml: {key}: {' '.join(problem.split())}")
    return None


def unknown_key_error(base: dict[str, Any], overrides: Sequence[str]) -> LockgateError | None:
    """Return the error for an unknown key or an invalid value, by our own checks."""
    for override in parse_overrides(overrides):
        parts = override.key_or_group.split(".")
        if len(parts) < 2 or parts[0] not in base or override.is_delete():
            continue
        candidate = _set_key(base, parts, convert_to_plain(override.value()))
        try:
            Parameters.check(candidate, catalogue())
        except LockgateError as error:
            return error
    for override in parse_overrides(overrides):
        key = override.key_or_group
        top = key.partition(".")[0]
        if override.is_delete() and base:
            exists = _key_exists(base, key.split("."))
            problem = "is not a recorded choice" if exists else "is not set"
            return UsageError(f"{override.input_line}: {key} {problem}, there is nothing to remove")
        if base and top not in base:
            return UnknownKey(top, [*base, "experiment"])
        if base and not _key_exists(base, key.split(".")) and not override.is_add():
            allowed = f"an existing key; to add it to {key.rpartition('.')[0]}, write +{key}=..."
            return SettingError(key, convert_to_plain(override.value()), allowed)
    return None


def _set_key(base: dict[str, Any], parts: list[str], value: object) -> dict[str, Any]:
    """Return a copy of nested mappings with a value set."""
    inner = base.get(parts[0])
    if len(parts) == 1:
        return {**base, parts[0]: value}
    return {**base, parts[0]: _set_key(inner if isinstance(inner, dict) else {}, parts[1:], value)}


def _key_exists(base: object, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(base, dict) or part not in base:
            return False
        base = base[part]
    return True
