"""Turns overrides, or edited parameters, into recorded choices that compose to the same."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from lockgate.contract.kinds import kind as kind_named
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import (
    CHOICES,
    KINDS,
    UNRECORDED,
    Choices,
    check_include,
    choices_text,
)
from lockgate.plugins.config.compose import CONF, compose_document
from lockgate.plugins.config.flat import differences, flatten
from lockgate.plugins.config.override_errors import convert_to_plain, parse_overrides
from lockgate.plugins.host.parameters import ORDER
from lockgate.plugins.host.params_file import read_yaml

__all__ = ["compose_with", "forget", "record"]

ROUNDS = 3
"""Attempts to reach the same parameters; one is enough but for plugins that change others."""


def compose_with(root: Path, choices: Choices, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose a project as if these choices were recorded; nothing in it is written."""
    with tempfile.TemporaryDirectory(prefix="lockgate-conf-") as folder:
        copy = Path(folder)
        shutil.copytree(root / CONF, copy / CONF)
        (copy / CHOICES).parent.mkdir(exist_ok=True)
        (copy / CHOICES).write_text(choices_text(choices), encoding="utf-8")
        return compose_document(copy, overrides)


def forget(root: Path, choices: Choices, overrides: Sequence[str]) -> tuple[Choices, list[str]]:
    """Remove the choices that overrides replace, and return the overrides that remain.

    A chosen experiment replaces what it sets itself; ``~key`` forgets a recorded choice.
    """
    remaining = []
    for text in overrides:
        (override,) = parse_overrides([text])
        key = override.key_or_group
        if override.is_delete() and choices.without([key]) != choices:
            choices = choices.without([key])
            continue
        remaining.append(text)
        if key in KINDS and not (override.is_add() or override.is_delete() or override.package):
            choices = choices.without(_of_other_plugins(choices, key, override.value()))
        if key == "experiment":
            choices = choices.without(_set_by_experiment(root, override.value()))
    return choices, remaining


def _of_other_plugins(choices: Choices, kind: str, chosen: object) -> list[str]:
    """Return the recorded keys of a kind's plugins that a new choice does not name."""
    names = list(map(str, chosen)) if isinstance(chosen, list) else [str(chosen)]
    keys = [*choices.values, *choices.instances]
    prefixes = {".".join(key.split(".")[:2]) for key in keys if key.startswith(f"{kind}.")}
    return sorted(prefixes - {f"{kind}.{name}" for name in names})


def _set_by_experiment(root: Path, name: object) -> list[str]:
    path = root / CONF / "experiment" / f"{name}.yaml"
    content = read_yaml(path) if path.is_file() else None
    if not isinstance(content, dict):
        return []
    defaults = content.pop("defaults", None) or []
    groups = [
        str(key).removeprefix("override ").lstrip("/").partition("@")[0]
        for entry in defaults
        if isinstance(entry, dict)
        for key in entry
    ]
    return groups + list(flatten(content) if content else {})


def record(
    root: Path, choices: Choices, overrides: Sequence[str], target: Mapping[str, Any]
) -> Choices:
    """Return the choices with which the project composes to `target` without overrides.

    Parameters
    ----------
    root : pathlib.Path
        The project.
    choices : Choices
        Choices recorded so far.
    overrides : sequence of str
        Overrides that led to the parameters.
    target : mapping
        The parameters.

    Raises
    ------
    UsageError
        If no recorded choice leads there, e.g. to a value of ``conf/`` that is deleted.

    """
    check_include(root)
    for override in parse_overrides(overrides):
        choices = _apply(choices, override)
    choices = choices.limited_to(target)
    expected = _comparable(target)
    for _ in range(ROUNDS):
        document = _comparable(compose_with(root, choices))
        keys = differences(document, expected)
        if not keys:
            return choices
        choices = _approach(root, choices, document, expected, keys)
    raise UsageError(
        f"{', '.join(keys[:5])} cannot be recorded below {CONF}; edit the file of {CONF} that "
        "sets it"
    )


def _comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in UNRECORDED}


def _apply(choices: Choices, override: Override) -> Choices:
    """Add what a plain override says; `record` adds what others lead to."""
    key, value = override.key_or_group, convert_to_plain(override.value())
    if override.is_delete() or key.partition(".")[0] in UNRECORDED:
        return choices
    if key == "experiment" or (key in KINDS and not override.is_add()):
        return dataclasses.replace(choices, groups={**choices.groups, key: value})
    if override.package or key in KINDS:
        return choices
    return choices.with_value(key, value)


def _approach(
    root: Path,
    choices: Choices,
    document: Mapping[str, Any],
    target: Mapping[str, Any],
    keys: Sequence[str],
) -> Choices:
    """Add choices for the keys that still differ."""
    kinds = {key.partition(".")[0] for key in keys}
    kinds = {"compressor" if kind == ORDER else kind for kind in kinds}
    for kind in sorted(kinds & set(KINDS)):
        if list(document[kind]) != list(target[kind]):
            choices = _choose(root, choices, kind, target[kind])
    wanted, present = flatten(dict(target)), flatten(dict(document))
    for key in keys:
        top, _, rest = key.partition(".")
        if top == ORDER or (top in KINDS and rest.partition(".")[0] not in document[top]):
            continue  # settled by the choice of plugins
        if key in wanted and not key.endswith((".plugin", ".provider")):
            choices = choices.with_value(key, wanted[key])
        elif key in present:
            choices = choices.without([key])
    return choices


def _choose(root: Path, choices: Choices, kind: str, instances: Mapping[str, Any]) -> Choices:
    """Choose the plugins of a kind, in their order."""
    options = [
        name
        for name, settings in instances.items()
        if settings["plugin"] == name or (root / CONF / kind / f"{name}.yaml").is_file()
    ]
    others = {
        f"{kind}.{name}": settings["plugin"]
        for name, settings in instances.items()
        if name not in options
    }
    single = len(options) == 1 and not kind_named(kind).several
    kept = {key: plugin for key, plugin in choices.instances.items() if key.split(".")[0] != kind}
    return Choices(
        {**choices.groups, kind: options[0] if single else options}, kept | others, choices.values
    )
