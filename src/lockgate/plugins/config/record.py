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
from lockgate.errors import LockgateError, UsageError
from lockgate.plugins.config.choices import (
    CHOICES,
    CONF,
    KINDS,
    UNRECORDED,
    Choices,
    check_include,
    choices_text,
)
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.flat import differences, flatten, nest
from lockgate.plugins.config.folder import check_links
from lockgate.plugins.config.overrides import convert_to_plain, parse_overrides
from lockgate.plugins.host.parameters import ORDER

__all__ = ["compose_with", "edited_document", "record"]

ROUNDS = 3
"""Attempts to reach the same parameters; one is enough but for plugins that change others."""


def compose_with(root: Path, choices: Choices, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose a project as if these choices were recorded; nothing in it is written."""
    check_links(root / CONF)  # a copy has no links
    with tempfile.TemporaryDirectory(prefix="lockgate-conf-") as folder:
        copy = Path(folder)
        shutil.copytree(root / CONF, copy / CONF)
        (copy / CHOICES).parent.mkdir(exist_ok=True)
        (copy / CHOICES).write_text(choices_text(choices), encoding="utf-8")
        try:
            return compose_document(copy, overrides)
        except LockgateError as error:
            if folder not in str(error):
                raise
            raise UsageError(str(error).replace(f"{folder}/", "")) from None


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
    for override in parse_overrides(overrides):
        kind = override.key_or_group
        # settings of an added plugin can only be composed where it is chosen
        if override.is_add() and kind in set(KINDS) - set(UNRECORDED) and not override.package:
            choices = _choose(root, choices, kind, expected[kind])
    for _ in range(ROUNDS):
        try:
            document = _comparable(compose_with(root, choices))
        except LockgateError as error:
            raise UsageError(
                f"the choices cannot be recorded, since without the overrides {error}; edit the "
                f"file of {CONF} that sets it, or forget the experiment with ~experiment"
            ) from None
        keys = differences(document, expected)
        if not keys:
            return choices
        choices = _approach(root, choices, document, expected, keys)
    raise UsageError(
        f"{', '.join(keys[:5])} cannot be recorded below {CONF}; edit the file of {CONF} that "
        "sets it"
    )


def _comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what choices can say, the compressors in the order to run them."""
    comparable = {key: value for key, value in document.items() if key not in UNRECORDED}
    order = [name for name in document.get(ORDER) or [] if name in document["compressor"]]
    return comparable | {"compressor": {n: document["compressor"][n] for n in order}}


def _apply(choices: Choices, override: Override) -> Choices:
    """Add what a plain override says; `record` adds what others lead to."""
    key, value = override.key_or_group, convert_to_plain(override.value())
    if override.is_delete() or key.partition(".")[0] in (*UNRECORDED, "hydra"):
        return choices
    if key in KINDS and override.is_add() and override.package:
        instances = {**choices.instances, override.package: str(value)}
        return dataclasses.replace(choices, instances=instances)
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
    single = len(options) == 1 and not kind_named(kind).listed
    kept = {key: plugin for key, plugin in choices.instances.items() if key.split(".")[0] != kind}
    return Choices(
        {**choices.groups, kind: options[0] if single else options}, kept | others, choices.values
    )


def edited_document(
    composed: Mapping[str, Any], written: Mapping[str, Any], edited: Mapping[str, Any]
) -> dict[str, Any]:
    """Return composed parameters with the manual edits of the file that was written.

    Parameters
    ----------
    composed : mapping
        Parameters as ``conf/`` composes them now.
    written : mapping
        Parameters as they were written to ``params.yaml``.
    edited : mapping
        Parameters that it holds now.

    Raises
    ------
    UsageError
        If an edit cannot be recorded.

    """
    values, result = flatten(dict(edited)), flatten(dict(composed))
    keys = [
        key
        for key in differences(written, edited)
        if not (key.endswith(".provider") and key in values and key in result)
    ]
    for key in keys:
        kind = key.partition(".")[0]
        if kind in UNRECORDED:
            raise UsageError(
                f"{key} was edited, and the choice of a {kind} is not recorded; edit a file of "
                f"{CONF} itself, or drop the edits with --discard"
            )
    for key in keys:
        result = {k: v for k, v in result.items() if k != key and not k.startswith(f"{key}.")}
        if key in values:
            above = {".".join(key.split(".")[:n]) for n in range(1, key.count(".") + 1)}
            result = {k: v for k, v in result.items() if k not in above} | {key: values[key]}
    return nest(result)
