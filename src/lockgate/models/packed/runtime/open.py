"""Opens a packed model's file."""

from __future__ import annotations

from pathlib import Path

from lockgate.errors import PackedFormatError
from lockgate.models.packed.format.container import LARGEST_FILE
from lockgate.models.packed.runtime.model import PackedModel

__all__ = ["open_packed"]


def open_packed(path: str | Path, *, threshold: float | None = None) -> PackedModel:
    """Open a packed model's file.

    Raises
    ------
    PackedFormatError
        If the file cannot be read, is damaged, invalid or of a newer version.

    """
    file_path = Path(path)
    try:
        if file_path.stat().st_size > LARGEST_FILE:
            raise PackedFormatError(
                f"{file_path} is too large: at most {LARGEST_FILE} bytes are read"
            )
        raw = file_path.read_bytes()
    except OSError as error:
        raise PackedFormatError(f"{file_path} cannot be read: {error}") from None
    return PackedModel(raw, threshold=threshold)
