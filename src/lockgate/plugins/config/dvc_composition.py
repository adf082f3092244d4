"""Checks what DVC composes in its experiments, where lockgate only resolves a value."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lockgate.data.io.dvc_settings import find_dvc_repository
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import Choices, check_include, read_choices
from lockgate.plugins.config.composed_folder import find_composed_folder
from lockgate.plugins.config.folder import check_folder
from lockgate.plugins.config.overrides import check_override, parse_grammar, split_sweep
from lockgate.plugins.config.replaced import find_kept
from lockgate.plugins.config.stamp import is_edited, read_stamp
from lockgate.plugins.host.params_file import read_params

__all__ = ["check_dvc_composition"]


def check_dvc_composition() -> None:
    """Check what the `dvc exp run` that composes in this process would do, if one does.

    Raises
    ------
    UsageError
        If ``params.yaml`` was edited, since DVC writes it anew, if an override is not valid or
        would not replace what it replaces in `lockgate run`, or if the folder of the
        configuration is not valid.

    """
    command = Path(sys.argv[0] if sys.argv else "")
    if command.name != "dvc" and command.parent.name != "dvc":
        return
    combinations = _check_overrides()
    dvc = find_dvc_repository(Path.cwd())
    folder = find_composed_folder(dvc) if dvc else None
    if folder is None:
        return
    root = folder.parent
    check_folder(folder)
    if (choices := read_choices(root)) != Choices():
        check_include(root)
        for overrides in combinations:
            _check_replaced(root, choices, overrides)
    file = root / "params.yaml"
    # without a stamp it was composed by DVC before
    if read_stamp(file) is not None and is_edited(root, read_params(file)):
        raise UsageError(
            f"{file} was edited, and an experiment composes it anew from {folder.name}/: record "
            "the edits with `lockgate run --no-run --keep`, or drop them with --discard"
        )


def _check_replaced(root: Path, choices: Choices, overrides: list[str]) -> None:
    if kept := find_kept(root, choices, overrides):
        keys = ", ".join(kept)
        raise UsageError(
            f"{' '.join(overrides)} replaces recorded choices ({keys}), which `dvc exp run` cannot "
            "do: queue it with `lockgate run -m`, or forget them with `lockgate run --no-run "
            f"{' '.join(f'~{key}' for key in kept)}`"
        )


def _check_overrides() -> list[list[str]]:
    """Check overrides, and return those of each combination of several values.

    Hydra drops a plugin that is named twice without a trace. What is not valid DVC reports.
    """
    try:
        combinations = split_sweep(_find_set_params(sys.argv[1:]))
    except UsageError:
        return []
    for combination in combinations:
        for override in parse_grammar(combination):
            check_override(override)
    return combinations


def _find_set_params(arguments: list[str]) -> list[str]:
    """Return the values of ``-S [FILE:]OVERRIDE`` for ``params.yaml``, as DVC understands them."""
    from dvc.cli import parse_args  # loaded already: this is its process

    overrides = []
    for text in getattr(parse_args(arguments), "set_param", None) or []:
        key, equals, value = text.partition("=")
        file, colon, inner = key.partition(":")
        if not colon or os.path.normpath(file) == "params.yaml":
            overrides.append(f"{inner if colon else key}{equals}{value}")
    return overrides
