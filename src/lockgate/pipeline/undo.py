"""Undoes what a command did to a folder before it failed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.data.io.scratch import SCRATCH
from lockgate.pipeline.run_lock import lock_run

__all__ = ["undone_on_failure"]


@contextlib.contextmanager
def undone_on_failure(directory: Path, paths: Sequence[Path]) -> Iterator[None]:
    """Leave a folder as it was if the block fails, for a second attempt; hold its run lock.

    Parameters
    ----------
    directory : pathlib.Path
        The folder; created if it does not exist.
    paths : sequence of pathlib.Path
        Files and folders that the block may create, and files that it may change.

    Raises
    ------
    UsageError
        If another command holds the lock; nothing is changed then.

    """
    folders = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    scratch = directory / SCRATCH.parent
    created = [] if scratch.exists() else [scratch]
    with lock_run(directory):  # what another command creates at the same time is not undone
        texts = {path: path.read_bytes() for path in paths if path.is_file()}
        created += [path for path in paths if not path.exists() and not path.is_symlink()]
        try:
            yield
        except BaseException:
            _undo(texts, created, folders)
            raise


def _undo(texts: dict[Path, bytes], created: list[Path], folders: list[Path]) -> None:
    for path, content in texts.items():
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
    for path in created:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    for folder in folders:
        with contextlib.suppress(OSError):  # another program put a file there
            folder.rmdir()
