"""Atomic replacement of files and directories: after a crash the old or the new one is there."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["replace_directory", "write_file"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_file(path: Path, content: bytes | str) -> None:
    """Write a temporary file, flush it to disk, and rename it to `path`.

    A device or a pipe is not replaced, but written to.
    """
    raw = content.encode() if isinstance(content, str) else content
    if path.exists() and not (path.is_file() or path.is_dir()):
        path.write_bytes(raw)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_directory(path.parent)


@contextlib.contextmanager
def replace_directory(path: Path) -> Iterator[Path]:
    """Yield a new directory to fill, and move it to `path` if the block raises nothing.

    On Linux a single system call exchanges it with the old one. Elsewhere there is a
    moment without a directory at `path`, but never with an incomplete one. What a
    killed process left behind is removed by the next one.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.new")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        _flush_directory(temporary)
        _exchange(temporary, path)
        _flush_directory(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.new"):
        if not Path(f"/proc/{leftover.name.split('.')[-3]}").exists():
            shutil.rmtree(leftover, ignore_errors=True)


def _exchange(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is not None:
        failed = renameat2(
            _AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE
        )
        if not failed:
            return
    backup = target.with_name(new.name + ".old")
    target.rename(backup)
    new.rename(target)
    shutil.rmtree(backup)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_flush_directory = _flush
