"""Recorded choices that new overrides replace, or make meaningless."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from lockgate.contract.kinds import kind as kind_named
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CONF, KINDS, Choices, is_below, read_choices
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.flat import differences, flatten
from lockgate.plugins.config.overrides import convert_to_plain, format_value, parse_overrides
from lockgate.plugins.config.record import compose_with
from lockgate.plugins.host.params_file import parse_yaml

__all__ = ["exact_overrides", "find_kept", "forget"]

EXPERIMENT = "experiment"
_LOST = object()
_PACKAGE = re.compile(r"^\s*# *@package +(\S+)", re.MULTILINE)


def forget(root: Path, choices: Choices, overrides: Sequence[str]) -> tuple[Choices, list[str]]:
    """Remove the choices that overrides replace, and return the overrides that remain.

    A chosen experiment replaces what it sets itself, and the settings of plugins that it does
    not choose; ``~key`` forgets a recorded choice.

    Raises
    ------
    UsageError
        If a choice is to be forgotten that has another value.

    """
    remaining = []
    experiment = False
    for text in overrides:
        (override,) = parse_overrides([text])
        key, value = override.key_or_group, convert_to_plain(override.value())
        if override.is_delete() and _forgets(choices, override):
            choices = choices.without([key])
            experiment |= key == EXPERIMENT
            continue
        if key == EXPERIMENT and (override.is_delete() or value is None):
            choices = dataclasses.replace(choices, groups={**choices.groups, key: None})
            experiment = True
            continue
        remaining.append(text)
        if key == EXPERIMENT:
            choices = choices.without(sorted(_set_by_experiment(root, text, value)))
            experiment = True
        elif override.is_delete():
            choices = choices.without([key])
        elif override.is_add() or override.package:
            continue
        elif key in KINDS:
            choices = choices.without(_of_other_plugins(choices, key, value))
        elif isinstance(value, dict):
            choices = choices.without([key])  # Hydra would merge the two
    if experiment:
        without_values = dataclasses.replace(choices, values={})
        choices = choices.limited_to(compose_with(root, without_values, remaining))
    return choices, remaining


def exact_overrides(root: Path, overrides: Sequence[str]) -> list[str]:
    """Return overrides that DVC composes to what `lockgate run` composes from others.

    DVC cannot forget recorded choices that overrides replace.

    Raises
    ------
    UsageError
        If there are none, or the parameters are not valid.

    """
    choices = read_choices(root)
    left, remaining = forget(root, choices, overrides)
    target = compose_with(root, left, remaining)
    values = flatten(target)
    exact = list(remaining)
    for key in _find_lost(choices, left):
        kind, _, rest = key.partition(".")
        if kind in KINDS and rest.partition(".")[0] not in target[kind]:
            plugin = f"~{kind}.{rest.partition('.')[0]}" if rest else ""
            exact += [plugin] if plugin and plugin not in exact else []
        elif key in KINDS:
            names = list(target[key])
            exact.append(
                f"{key}={names[0] if not kind_named(key).several else format_value(names)}"
            )
        else:
            exact.append(f"{key}={format_value(values[key])}" if key in values else f"~{key}")
    if differences(compose_document(root, exact), target):
        raise UsageError(
            f"{', '.join(overrides)} replaces recorded choices, which DVC cannot do; forget them "
            f"first: lockgate run {' '.join(f'~{key}' for key in _find_lost(choices, left))}"
        )
    return exact


def find_kept(root: Path, overrides: Sequence[str]) -> list[str]:
    """Return recorded choices that `lockgate run` would forget for overrides, and DVC keeps."""
    choices = read_choices(root)
    left, _ = forget(root, choices, overrides)
    keys = {override.key_or_group for override in parse_overrides(overrides)} - {*KINDS}
    return [key for key in _find_lost(choices, left) if not is_below(key, keys)]


def _find_lost(choices: Choices, left: Choices) -> list[str]:
    return [
        key
        for name in ("groups", "instances", "values")
        for key, value in getattr(choices, name).items()
        if getattr(left, name).get(key, _LOST) != value and key != EXPERIMENT
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


def _set_by_experiment(root: Path, text: str, value: object) -> set[str]:
    """Return groups and keys that an experiment sets, also to what is the default."""
    plain, changed = compose_with(root, Choices()), compose_with(root, Choices(), [text])
    keys = set(differences(plain, changed))
    for name in value if isinstance(value, list) else [value]:
        keys.update(_keys_of_file(root, str(name), set()))
    return keys


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
