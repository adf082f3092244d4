"""Composes with what is left of the recorded choices, where overrides replace some."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lockgate.contract.kinds import kind as kind_named
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import KINDS, Choices, read_choices
from lockgate.plugins.config.compose import compose_document
from lockgate.plugins.config.flat import differences, flatten
from lockgate.plugins.config.overrides import format_value, parse_overrides
from lockgate.plugins.config.record import compose_with
from lockgate.plugins.config.replaced import EXPERIMENT, find_lost, remove_replaced

__all__ = ["exact_overrides", "forget"]


def forget(root: Path, choices: Choices, overrides: Sequence[str]) -> tuple[Choices, list[str]]:
    """Remove the choices that overrides replace, and return the overrides that remain.

    As `remove_replaced`; a chosen experiment also replaces all that changes with it, and the
    settings of plugins that it does not choose.

    """
    left, remaining = remove_replaced(root, choices, overrides)
    experiments = [o for o in parse_overrides(overrides) if o.key_or_group == EXPERIMENT]
    if not experiments:
        return left, remaining
    plain = compose_with(root, Choices())
    for override in experiments:
        if override.input_line in remaining:
            changed = compose_with(root, Choices(), [override.input_line])
            left = left.without(differences(plain, changed))
    without_values = dataclasses.replace(left, values={})
    return left.limited_to(compose_with(root, without_values, remaining)), remaining


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
    for key in find_lost(choices, left):
        if key in KINDS:
            names = list(target[key])
            chosen = names if kind_named(key).listed or len(names) > 1 else names[0]
            exact.append(f"{key}={format_value(chosen)}")
            continue
        kind, name = [*key.split("."), ""][:2]
        if kind in KINDS and name not in target[kind]:
            if (unused := f"~{kind}.{name}") not in exact:
                exact.append(unused)
        else:
            exact.append(f"{key}={format_value(values[key])}" if key in values else f"~{key}")
    if differences(compose_document(root, exact), target):
        lost = find_lost(choices, left) or [EXPERIMENT]
        raise UsageError(
            f"{', '.join(overrides)} replaces recorded choices, which DVC cannot do; forget them "
            f"first: lockgate run --no-run {' '.join(f'~{key}' for key in lost)}"
        )
    return exact
