"""sha256 digests of files, texts and bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["sha256_bytes", "sha256_file", "sha256_folder", "sha256_text"]


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's content, in hex, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_folder(folder: Path) -> str:
    """Return the sha256 of the paths and contents of a folder's Parquet files, in hex."""
    from lockgate.data.io.files import parquet_files  # it needs NumPy, and help must be quick

    files = parquet_files(folder)
    lines = [f"{sha256_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    return sha256_text("".join(lines))


def sha256_text(text: str) -> str:
    """Return the sha256 of a text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_bytes(raw: bytes) -> str:
    """Return the sha256 of bytes, in hex."""
    return hashlib.sha256(raw).hexdigest()
