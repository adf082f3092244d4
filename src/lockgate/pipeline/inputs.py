"""Makes sure that what a stage reads does not change until its result is saved."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from lockgate.errors import UsageError

__all__ = ["unchanged_inputs"]

Fingerprint = tuple[int, int, int] | str


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
    try:
        # by DVC's reader, in effect: its files may have aliases, which ours may not
        content = yaml.safe_load((root / "dvc.yaml").read_bytes())
        dependencies = content["stages"][stage]["deps"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return []  # called without DVC
    return [root / path for path in dependencies if isinstance(path, str)]


def _fingerprints(paths: list[Path]) -> dict[Path, Fingerprint]:
    """Return what changes with the content of each file, at or below the paths."""
    prints: dict[Path, Fingerprint] = {}
    for path in paths:
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                if file.name == "params.yaml":  # small, and often written without a change
                    prints[file] = hashlib.sha256(file.read_bytes()).hexdigest()
                else:
                    stat = file.stat()
                    prints[file] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return prints
