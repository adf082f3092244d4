"""Checks what DVC composes in its experiments, where lockgate only resolves a value."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lockgate.data.io.dvc_settings import find_dvc_repository
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import Choices, check_include, read_choices
from lockgate.plugins.config.composed_folder import find_composed_folder
from lockgate.plugins.config.folder import check_folder
from lockgate.plugins.config.overrides import check_override, parse_grammar
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
    overrides = _check_overrides()
    dvc = find_dvc_repository(Path.cwd())
    folder = find_composed_folder(dvc) if dvc else None
    if folder is None:
        return
    root = folder.parent
    check_folder(folder)
    if (choices := read_choices(root)) != Choices():
        check_include(root)
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


def _check_overrides() -> list[str]:
    """Check and return overrides: Hydra drops a plugin that is named twice without a trace.

    Several values are queued by DVC, and it reports what is not valid: neither is returned.
    """
    checked = []
    for text in _find_set_params(sys.argv[1:]):
        try:
            (override,) = parse_grammar([text])
        except UsageError:
            continue
        if not override.is_sweep_override():
            check_override(override)
            checked.append(text)
    return checked


def _find_set_params(arguments: list[str]) -> Iterator[str]:
    """Return the values of ``-S [FILE:]OVERRIDE`` for ``params.yaml``."""
    following = [*arguments[1:], ""]
    for argument, value in zip(arguments, following, strict=True):
        if argument.startswith("--set-param"):
            text = argument.partition("=")[2] or value
        elif argument.startswith("-S"):
            text = argument[2:] or value
        else:
            continue
        key, equals, new = text.partition("=")
        file, colon, inner = key.partition(":")
        if not colon or file == "params.yaml":
            yield f"{inner if colon else key}{equals}{new}"
