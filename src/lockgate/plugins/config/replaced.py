"""Recorded choices that new overrides replace, as far as the files of ``conf/`` say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CONF, KINDS, Choices, is_below
from lockgate.plugins.config.flat import UNSET, flatten
from lockgate.plugins.config.overrides import convert_to_plain, parse_overrides
from lockgate.plugins.host.params_file import parse_yaml

__all__ = ["EXPERIMENT", "find_kept", "find_lost", "remove_replaced"]

EXPERIMENT = "experiment"
"""The group of files that set several things at once."""

_PACKAGE = re.compile(r"^\s*# *@package +(\S+)", re.MULTILINE)


def remove_replaced(
    root: Path, choices: Choices, overrides: Sequence[str]
) -> tuple[Choices, list[str]]:
    """Remove the choices that overrides replace, and return the overrides that remain.

    A chosen experiment replaces what it sets itself; ``~key`` forgets a recorded choice.

    Raises
    ------
    UsageError
        If a choice is to be forgotten that has another value.

    """
    remaining = []
    for text in overrides:
        (override,) = parse_overrides([text])
        key, value = override.key_or_group, convert_to_plain(override.value())
        if override.is_delete() and _forgets(choices, override):
            choices = choices.without([key])
            continue
        if key == EXPERIMENT and (override.is_delete() or value is None):
            choices = dataclasses.replace(choices, groups={**choices.groups, key: None})
            continue
        remaining.append(text)
        if key == EXPERIMENT:
            names = value if isinstance(value, list) else [value]
            visited: set[str] = set()
            for name in names:
                choices = choices.without(list(_keys_of_file(root, str(name), visited)))
        elif override.is_delete():
            choices = choices.without([key])
        elif override.is_add() or override.package:
            continue
        elif key in KINDS:
            choices = choices.without(_of_other_plugins(choices, key, value))
        elif isinstance(value, dict):
            choices = choices.without([key])  # Hydra would merge the two
    return choices, remaining


def find_kept(root: Path, choices: Choices, overrides: Sequence[str]) -> list[str]:
    """Return choices that `lockgate run` would forget for overrides, and DVC keeps.

    As far as the files say: `forget` also composes, which a resolver of Hydra cannot do.
    """
    left, _ = remove_replaced(root, choices, overrides)
    keys = {override.key_or_group for override in parse_overrides(overrides)}
    return [
        key
        for key in find_lost(choices, left)
        # the choice of a plugin covers the recorded one, and not the settings of others
        if key not in keys and not is_below(key, keys.difference(KINDS))
    ]


def find_lost(choices: Choices, left: Choices) -> list[str]:
    """Return the choices that others do not have, but for the experiment."""
    return [
        key
        for name in ("groups", "instances", "values")
        for key, value in getattr(choices, name).items()
        if getattr(left, name).get(key, UNSET) != value and key != EXPERIMENT
    ]


def _forgets(choices: Choices, override: Override) -> bool:
    """Return whether ``~key`` or ``~key=value`` is a recorded choice, rather than one of conf/."""
    key, value = override.key_or_group, convert_to_plain(override.value())
    recorded: dict[str, Any] = choices.groups | choices.instances | choices.values
    kind, _, name = key.partition(".")
    if key not in recorded:
        # settings of a plugin are forgotten with it, but not instead of it
        is_plugin = kind in KINDS and name and "." not in name
        return not is_plugin and choices.without([key]) != choices
    if value not in ("", None, recorded[key]):
        if isinstance(recorded[key], list):
            return False
        raise UsageError(
            f"{override.input_line}: the recorded choice is {key}={recorded[key]}; to forget it: "
            f"~{key}"
        )
    return True


def _of_other_plugins(choices: Choices, kind: str, chosen: object) -> list[str]:
    """Return the recorded keys of a kind's plugins that a new choice does not name."""
    names = list(map(str, chosen)) if isinstance(chosen, list) else [str(chosen)]
    keys = [*choices.values, *choices.instances]
    prefixes = {".".join(key.split(".")[:2]) for key in keys if key.startswith(f"{kind}.")}
    return sorted(prefixes - {f"{kind}.{name}" for name in names})


def _keys_of_file(root: Path, name: str, visited: set[str]) -> Iterator[str]:
    """Yield groups and keys in the file of an experiment, and in those that it includes."""
    path = root / CONF / EXPERIMENT / f"{name}.yaml"
    if name in visited or not path.is_file():
        return
    visited.add(name)
    content_text = path.read_text(encoding="utf-8")
    content = parse_yaml(content_text, path)
    if not isinstance(content, dict):
        return
    package = match[1] if (match := _PACKAGE.search(content_text)) else "_global_"
    for entry in content.pop("defaults", None) or []:
        items = entry.items() if isinstance(entry, dict) else [(EXPERIMENT, entry)]
        for key, option in items:
            group = key.removeprefix("override ").removeprefix("optional ").lstrip("/")
            group = group.partition("@")[0]
            if group != EXPERIMENT:
                yield group
                continue
            for other in option if isinstance(option, list) else [option]:
                yield from _keys_of_file(root, str(other).rpartition("experiment/")[2], visited)
    for key in flatten(content) if content else ():
        yield key if package.startswith("_") else f"{package}.{key}"
