"""The container of a packed model: one header and aligned arrays in one run of bytes.

::

    0   8 bytes   b"LOCKGATE"
    8   8 bytes   length of the header, little-endian
    16  32 bytes  sha256 of the header
    48  header    UTF-8 JSON, keys sorted, no white space
    ..  arrays    each at the next multiple of 64, zeros between, nothing after the last

The header gives each array's dtype, shape, offset (from the first multiple of
64 after the header) and sha256, so every byte of the file is checked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from lockgate.errors import PackedFormatError

__all__ = ["DTYPES", "LARGEST_FILE", "ArrayEntry", "read_arrays", "read_header", "require", "write"]

MAGIC = b"LOCKGATE"
START = 48
ALIGN = 64

LARGEST_FILE = 1 << 31
"""Size of the largest file that is read, in bytes."""

LARGEST_HEADER = 1 << 26
MAX_ARRAYS = 1 << 16

DTYPES: dict[str, np.dtype[Any]] = {
    "f8": np.dtype("<f8"),
    "i4": np.dtype("<i4"),
    "u1": np.dtype("u1"),
    "u2": np.dtype("<u2"),
    "u4": np.dtype("<u4"),
}
"""Every dtype that an array of a file may have."""


class ArrayEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One array of the file.

    Attributes
    ----------
    dtype : str
        A key of `DTYPES`.
    shape : tuple of int
        One or two lengths.
    offset : int
        Bytes from the start of the arrays, a multiple of 64.
    sha256 : str
        Of the array's bytes, in hex.

    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    sha256: str


def require(condition: object, message: str) -> None:
    """Raise PackedFormatError with the message unless the condition is true."""
    if not condition:
        raise PackedFormatError(f"not a usable packed model: {message}")


def write(header: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write a header and arrays; equal content gives equal bytes."""
    entries: dict[str, Any] = {}
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        raw = array.tobytes()
        dtype = next(key for key, numpy_dtype in DTYPES.items() if numpy_dtype == array.dtype)
        digest = hashlib.sha256(raw).hexdigest()
        entries[name] = ArrayEntry(dtype, array.shape, offset, digest)
        padding = bytes(-len(raw) % ALIGN)
        parts += [raw, padding]
        offset += len(raw) + len(padding)
    if parts:
        parts.pop()  # no padding after the last array
    text = msgspec.json.encode({**header, "arrays": entries}, order="sorted")
    prefix = MAGIC + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest() + text
    return prefix + bytes(-len(prefix) % ALIGN) + b"".join(parts)


def read_header(raw: bytes) -> tuple[bytes, int]:
    """Return the header's JSON and where the arrays start.

    Raises
    ------
    PackedFormatError
        If the start of the file is damaged, or it is not a packed model.

    """
    require(len(raw) <= LARGEST_FILE, f"it has {len(raw)} bytes; at most {LARGEST_FILE} are read")
    require(len(raw) >= START and raw[:8] == MAGIC, f"it does not start with {MAGIC!r}")
    length = int.from_bytes(raw[8:16], "little")
    require(length <= min(LARGEST_HEADER, len(raw) - START), "the header is truncated")
    text = raw[START : START + length]
    require(hashlib.sha256(text).digest() == raw[16:START], "the header is damaged")
    start = START + length + (-(START + length) % ALIGN)
    require(not any(raw[START + length : start]), "the padding after the header is not zero")
    return text, start


def read_arrays(raw: bytes, start: int, entries: Mapping[str, ArrayEntry]) -> dict[str, np.ndarray]:
    """Return read-only views of the arrays, digests checked, nothing copied.

    Raises
    ------
    PackedFormatError
        If an array is not where the preceding entries put it, or is damaged.

    """
    require(len(entries) <= MAX_ARRAYS, f"{len(entries)} arrays; at most {MAX_ARRAYS} are read")
    view = memoryview(raw)
    arrays: dict[str, np.ndarray] = {}
    offset, end = 0, start
    for name, entry in sorted(entries.items(), key=lambda pair: (pair[1].offset, pair[0])):
        size = _size(name, entry)
        require(
            entry.offset == offset, f"array {name} has offset {entry.offset}, expected {offset}"
        )
        end = start + offset + size
        require(end <= len(raw), f"array {name} is truncated")
        section = view[start + offset : end]
        require(hashlib.sha256(section).hexdigest() == entry.sha256, f"array {name} is damaged")
        offset += size + (-size % ALIGN)
        require(
            not any(raw[end : min(start + offset, len(raw))]),
            f"the padding after array {name} is not zero",
        )
        flat = np.frombuffer(section, dtype=DTYPES[entry.dtype])
        arrays[name] = flat.reshape(entry.shape)
    require(
        end == len(raw) or (not entries and start >= len(raw)),
        "there are bytes after the last array",
    )
    return arrays


def _size(name: str, entry: ArrayEntry) -> int:
    require(
        entry.dtype in DTYPES,
        f"array {name} has dtype {entry.dtype!r}; available: {', '.join(DTYPES)}",
    )
    require(
        1 <= len(entry.shape) <= 2,
        f"array {name} has {len(entry.shape)} dimensions, expected 1 or 2",
    )
    require(
        all(0 <= n <= LARGEST_FILE for n in entry.shape),
        f"array {name} has an invalid shape {entry.shape}",
    )
    return math.prod(entry.shape) * DTYPES[entry.dtype].itemsize
