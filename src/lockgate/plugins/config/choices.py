"""The choices of a project: overrides of ``lockgate run``, recorded below ``conf/``.

The file is part of the configuration: ``config.yaml`` includes it last, so that Hydra and
DVC compose with it, and colleagues get it with the project.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lockgate.contract.kinds import CONFIGURED
from lockgate.data.io.atomic import write_file
from lockgate.errors import UsageError
from lockgate.plugins.config.flat import flatten, nest
from lockgate.plugins.host.params_file import dump_yaml, read_yaml

__all__ = [
    "CHOICES",
    "CONF",
    "KINDS",
    "UNRECORDED",
    "Choices",
    "check_include",
    "choices_text",
    "is_below",
    "parse_choices",
    "read_choices",
    "write_choices",
]

CONF = "conf"
"""Folder of a project's configuration."""

CHOICES = Path(CONF, "chosen", "now.yaml")
"""The file, relative to the project."""

INCLUDE = "- optional chosen: now"
"""The last entry of the defaults of ``config.yaml``, which includes the file."""

HEADER = """\
# @package _global_
# Choices recorded by `lockgate run OVERRIDES`; `lockgate run --reset` forgets them.
"""

KINDS = tuple(kind.name for kind in CONFIGURED)
UNRECORDED = ("gate",)
"""Kinds whose choices are never recorded: who runs a pipeline must not weaken its gates."""


@dataclasses.dataclass(frozen=True)
class Choices:
    """Recorded choices.

    Attributes
    ----------
    groups : dict of str to (str, list of str or None)
        Options of groups: ``{"model": "boosting"}``.
    instances : dict of str to str
        Further instances of plugins: ``{"evaluator.second": "business"}``.
    values : dict of str to object
        Values by dotted key.

    """

    groups: dict[str, Any] = dataclasses.field(default_factory=dict)
    instances: dict[str, str] = dataclasses.field(default_factory=dict)
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    def without(self, keys: Sequence[str]) -> Choices:
        """Return the choices without these groups, and without values at or below these keys."""
        return Choices(
            {name: option for name, option in self.groups.items() if name not in keys},
            {key: plugin for key, plugin in self.instances.items() if not is_below(key, keys)},
            {key: value for key, value in self.values.items() if not is_below(key, keys)},
        )

    def with_value(self, key: str, value: object) -> Choices:
        """Return the choices with another value, which may be a mapping."""
        values = self.without([key]).values | flatten(value, key)
        return dataclasses.replace(self, values=values)

    def limited_to(self, document: Mapping[str, Any]) -> Choices:
        """Return the choices without values of plugins that the document does not choose."""
        values = {
            key: value
            for key, value in self.values.items()
            if (parts := key.split("."))[0] not in KINDS
            or len(parts) < 2
            or parts[1] in (document.get(parts[0]) or {})
        }
        return dataclasses.replace(self, values=values)


def is_below(key: str, keys: Collection[str]) -> bool:
    """Return whether a dotted key is one of some keys, or below one."""
    return any(key == other or key.startswith(f"{other}.") for other in keys)


def read_choices(root: Path) -> Choices:
    """Read the recorded choices of a project.

    Raises
    ------
    UsageError
        If the file was edited into something else.

    """
    path = root / CHOICES
    return parse_choices(read_yaml(path), path) if path.is_file() else Choices()


def parse_choices(content: Any, path: Path) -> Choices:
    """Return the choices in the content of a file."""
    if content is None:
        return Choices()
    if not isinstance(content, dict) or not isinstance(content.get("defaults", []), list):
        raise UsageError(f"{path} is not a file of choices; remove it, or restore it from Git")
    groups: dict[str, Any] = {}
    instances: dict[str, str] = {}
    for entry in content.get("defaults", []):
        items = list(entry.items()) if isinstance(entry, dict) else [(str(entry), None)]
        key, option = items[0] if len(items) == 1 else ("", None)
        if key.startswith("override /"):
            groups[key.removeprefix("override /")] = option
        elif key.startswith("/") and isinstance(option, str):
            group, _, package = key[1:].partition("@")
            instances[package.removeprefix("_global_.") or f"{group}.{option}"] = option
        else:
            raise UsageError(f"{path}: {entry!r} is not a choice that lockgate recorded")
    values = {key: value for key, value in content.items() if key != "defaults"}
    return Choices(groups, instances, flatten(values) if values else {})


def choices_text(choices: Choices) -> str:
    """Return the file of the choices."""
    # Hydra wants overrides last
    defaults: list[dict[str, Any]] = [
        {f"/{key.partition('.')[0]}@_global_.{key}": plugin}
        for key, plugin in sorted(choices.instances.items())
    ]
    defaults += [{f"override /{name}": option} for name, option in sorted(choices.groups.items())]
    content = ({"defaults": defaults} if defaults else {}) | nest(
        dict(sorted(choices.values.items()))
    )
    return HEADER + (dump_yaml(content) if content else "")


def check_include(root: Path) -> None:
    """Check that the project's ``config.yaml`` includes the file of choices last.

    Raises
    ------
    UsageError
        If it does not, with the line to add.

    """
    config = root / CONF / "config.yaml"
    content = read_yaml(config) or {}
    defaults = content.get("defaults") if isinstance(content, dict) else None
    if not isinstance(defaults, list):
        raise UsageError(f"{config}: expected a mapping with a list of defaults")
    if not defaults or defaults[-1] != {"optional chosen": "now"}:
        raise UsageError(
            f"{config} does not include recorded choices last; add `{INCLUDE}` as the last entry "
            "of its defaults"
        )


def write_choices(root: Path, choices: Choices) -> None:
    """Record the choices; nothing is written where they are recorded already."""
    path = root / CHOICES
    text = choices_text(choices)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        write_file(path, text)
