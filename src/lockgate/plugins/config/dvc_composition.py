"""Checks what DVC composes in its experiments, where lockgate only resolves a value."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lockgate.data.io.dvc_settings import find_dvc_repository, read_dvc_setting
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CONF
from lockgate.plugins.config.folder import check_folder
from lockgate.plugins.config.overrides import check_override, parse_grammar
from lockgate.plugins.config.stamp import is_edited, read_stamp
from lockgate.plugins.host.params_file import read_params

__all__ = ["check_dvc_composition", "find_composed_folder"]


def find_composed_folder(dvc: Path) -> Path | None:
    """Return the folder that DVC composes in its experiments; None if it composes nothing."""
    enabled = read_dvc_setting(dvc, "hydra", "enabled")
    if enabled is None or enabled[0].lower() != "true":
        return None
    folder = read_dvc_setting(dvc, "hydra", "config_dir")
    return (dvc / (folder[0] if folder else CONF)).resolve()


def check_dvc_composition() -> None:
    """Check what the `dvc exp run` that composes in this process would do, if one does.

    Raises
    ------
    UsageError
        If ``params.yaml`` was edited, since DVC writes it anew, if an override is not valid,
        or if the folder of the configuration is not.

    """
    command = Path(sys.argv[0] if sys.argv else "")
    if command.name != "dvc" and command.parent.name != "dvc":
        return
    _check_overrides()
    dvc = find_dvc_repository(Path.cwd())
    folder = find_composed_folder(dvc) if dvc else None
    if folder is None:
        return
    check_folder(folder)
    file = folder.parent / "params.yaml"
    # without a stamp it was composed by DVC before
    if read_stamp(file) is not None and is_edited(folder.parent, read_params(file)):
        raise UsageError(
            f"{file} was edited, and an experiment composes it anew from {folder.name}/: record "
            "the edits with `lockgate run --no-run --keep`, or drop them with --discard"
        )


def _check_overrides() -> None:
    """Check overrides: Hydra drops a plugin that is named twice, so that no value shows it.

    Several values are queued by DVC, and it reports what is not valid.
    """
    for text in _find_set_params(sys.argv[1:]):
        try:
            (override,) = parse_grammar([text])
        except UsageError:
            continue
        if not override.is_sweep_override():
            check_override(override)


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
