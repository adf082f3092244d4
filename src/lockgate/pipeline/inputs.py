"""Makes sure that what a stage reads does not change until its result is saved."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lockgate.errors import UsageError

__all__ = ["unchanged_inputs"]

Fingerprint = tuple[int, int, int] | str

SMALL = 1 << 20
"""Bytes of a file whose content is compared, and not its time of change."""


@contextlib.contextmanager
def unchanged_inputs(root: Path, stage: str) -> Iterator[None]:
    """Raise after the block if ``params.yaml`` or a dependency of the stage was changed in it.

    DVC reads the parameters and hashes the dependencies when a stage has ended, and would
    record the changed ones as those of the result.

    Parameters
    ----------
    root : pathlib.Path
        The project.
    stage : str
        Name of the stage in ``dvc.yaml``.

    Raises
    ------
    UsageError
        With the first file that was changed.

    """
    paths = [root / "params.yaml", *_dependencies(root, stage)]
    before = _fingerprints(paths)
    yield
    after = _fingerprints(paths)
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            raise UsageError(
                f"{os.path.relpath(path, root)} was changed while stage {stage} was reading it, so "
                "its result is not saved; run it again"
            )


def _dependencies(root: Path, stage: str) -> list[Path]:
    """Return the dependencies of a stage; templated ones as they were when it last ran."""
    described, locked = _read_stage(root / "dvc.yaml", stage), _read_stage(root / "dvc.lock", stage)
    folder = root / str(described.get("wdir", "."))
    # each may be a path, a path with options, or, in dvc.lock, fields with a path
    names = [
        next(iter(entry)) if isinstance(entry, dict) and entry else entry
        for entry in described.get("deps") or []
    ]
    names += [entry["path"] for entry in locked.get("deps") or [] if isinstance(entry, dict)]
    return [folder / name for name in dict.fromkeys(names) if isinstance(name, str)]


def _read_stage(path: Path, stage: str) -> dict[str, Any]:
    try:
        # not by our reader: files of DVC may have aliases
        entry = yaml.safe_load(path.read_bytes())["stages"][stage]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return {}  # called without DVC, or for the first time
    return entry if isinstance(entry, dict) else {}


def _fingerprints(paths: list[Path]) -> dict[Path, Fingerprint]:
    """Return what changes with the content of each file, at or below the paths."""
    prints: dict[Path, Fingerprint] = {}
    for path in paths:
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                stat = file.stat()
                if stat.st_size <= SMALL:  # often written without a change
                    prints[file] = hashlib.sha256(file.read_bytes()).hexdigest()
                else:
                    prints[file] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return prints
