"""Undoes what a command did to a folder before it failed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["undone_on_failure"]


@contextlib.contextmanager
def undone_on_failure(directory: Path, paths: Sequence[Path]) -> Iterator[None]:
    """Leave a folder as it was if the block fails, for a second attempt.

    Parameters
    ----------
    directory : pathlib.Path
        The folder; created if it does not exist.
    paths : sequence of pathlib.Path
        Files and folders that the block may create, and files that it may change.

    """
    folders = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    texts = {path: path.read_bytes() for path in paths if path.is_file()}
    new = [path for path in paths if not path.exists() and not path.is_symlink()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path, content in texts.items():
            if path.read_bytes() != content:
                path.write_bytes(content)
        for path in new:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for folder in folders:
            with contextlib.suppress(OSError):  # another program put a file there
                folder.rmdir()
        raise
