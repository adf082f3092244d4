"""Tensors of the Open Inference Protocol, in JSON and as bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from lockgate.serving.http.messages import HTTPError

__all__ = ["DATATYPES", "Tensor", "as_column", "as_matrix", "pack", "unpack"]

DATATYPES = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""NumPy's names of the protocol's datatypes; BYTES are texts."""

AXES = 8
"""Most axes of a tensor."""

MOST = 1 << 26
"""Most elements of a tensor."""


class Tensor(msgspec.Struct):
    """A tensor as it stands in a request; further keys are allowed and not looked at.

    Attributes
    ----------
    name, datatype : str
        Its name, and a name of `DATATYPES` or BYTES.
    shape : list of int
        Lengths of its axes.
    data : list or None
        Elements, nested or flat in row-major order; None where they follow as bytes.
    parameters : dict
        ``binary_data_size`` says how many bytes follow.

    """

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


def unpack(tensor: Tensor, rest: memoryview) -> tuple[Any, memoryview]:
    """Return a tensor's elements, flat, and the bytes behind them.

    Returns
    -------
    ndarray or list
        Numbers as their datatype says; a list of texts, or where null stands for a gap.

    Raises
    ------
    Refusal
        400, if elements do not agree with shape and datatype.

    """
    if tensor.datatype != "BYTES" and tensor.datatype not in DATATYPES:
        known = ", ".join((*DATATYPES, "BYTES"))
        raise _wrong(tensor, f"datatype {tensor.datatype[:20]!r} came, expected one of {known}")
    count = _count(tensor)
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        if tensor.data is None:
            raise _wrong(tensor, "no data and no binary_data_size came")
        flat = _flat(tensor, count)
        return (
            _texts(tensor, flat) if tensor.datatype == "BYTES" else _numbers(tensor, flat)
        ), rest
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
        raise _wrong(tensor, f"binary_data_size is {size!r}, {len(rest)} bytes follow")
    mine, rest = rest[:size], rest[size:]
    if tensor.datatype == "BYTES":
        return _split(tensor, mine, count), rest
    dtype = np.dtype(DATATYPES[tensor.datatype])
    if size != count * dtype.itemsize:
        raise _wrong(tensor, f"{size} bytes came, expected {count} of {dtype.itemsize}")
    if tensor.datatype == "BOOL":
        return np.frombuffer(mine, np.uint8) != 0, rest
    return np.frombuffer(mine, dtype), rest


def pack(values: Any, datatype: str) -> bytes:
    """Write elements as bytes."""
    if datatype == "BYTES":
        texts = [str(one).encode() for one in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.ascontiguousarray(values, DATATYPES[datatype]).tobytes()


def as_column(values: Any) -> Any:
    """Return elements as a model's input takes them: 32 bits widened, gaps as None or NaN."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return values.astype(np.float64)
    return values


def as_matrix(values: Any, shape: Sequence[int]) -> Any:
    """Return elements of a tensor of two axes as rows."""
    if isinstance(values, np.ndarray):
        return as_column(values).reshape(shape)
    return [values[k * shape[1] : (k + 1) * shape[1]] for k in range(shape[0])]


def _count(tensor: Tensor) -> int:
    count = 1
    if len(tensor.shape) > AXES:
        raise _wrong(tensor, f"{len(tensor.shape)} axes came, at most {AXES} are read")
    for length in tensor.shape:
        if length < 0:
            raise _wrong(tensor, f"shape {tensor.shape[:8]} has a negative length")
        count *= length
        if count > MOST:
            raise _wrong(tensor, f"shape {tensor.shape} asks for more than {MOST} elements")
    return count


def _flat(tensor: Tensor, count: int) -> list[Any]:
    flat: list[Any] = tensor.data or []
    for _ in range(len(tensor.shape) - 1):
        if not flat or not isinstance(flat[0], list):
            break
        if not all(isinstance(one, list) for one in flat):
            raise _wrong(tensor, "the nested data are ragged")
        flat = [item for one in flat for item in one]
    if len(flat) != count:
        raise _wrong(tensor, f"{len(flat)} elements came for shape {tensor.shape[:8]}")
    return flat


def _texts(tensor: Tensor, flat: list[Any]) -> list[Any]:
    for k, one in enumerate(flat):
        if not (one is None or isinstance(one, str)):
            raise _wrong(tensor, f"element {k} is {one!r:.60}, expected a text")
    return flat


def _numbers(tensor: Tensor, flat: list[Any]) -> Any:
    dtype = np.dtype(DATATYPES[tensor.datatype])
    wanted = {"b": (bool,), "f": (int, float)}.get(dtype.kind, (int,))
    gaps = False
    for k, one in enumerate(flat):
        if one is None:
            gaps = True
        elif not isinstance(one, wanted) or (isinstance(one, bool) and dtype.kind != "b"):
            raise _wrong(tensor, f"element {k} is {one!r:.60}, expected {tensor.datatype}")
    if gaps and dtype.kind != "f":
        return [None if one is None else _single(tensor, dtype, one) for one in flat]
    try:
        with np.errstate(over="ignore"):
            return np.array([np.nan if one is None else one for one in flat], dtype)
    except (OverflowError, ValueError):
        raise _wrong(tensor, f"an element is out of the range of {tensor.datatype}") from None


def _single(tensor: Tensor, dtype: Any, one: Any) -> Any:
    try:
        return np.array(one, dtype).item()
    except (OverflowError, ValueError):
        raise _wrong(tensor, f"{one!r:.60} is out of the range of {tensor.datatype}") from None


def _split(tensor: Tensor, raw: memoryview, count: int) -> list[str]:
    made, at = [], 0
    for k in range(count):
        if at + 4 > len(raw):
            raise _wrong(tensor, f"the bytes end before element {k} of {count}")
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4
        if at + length > len(raw):
            raise _wrong(tensor, f"element {k} is longer than the bytes that follow")
        try:
            made.append(str(raw[at : at + length], "utf-8"))
        except UnicodeDecodeError:
            raise _wrong(tensor, f"element {k} is no UTF-8") from None
        at += length
    if at != len(raw):
        raise _wrong(tensor, f"{len(raw) - at} bytes are left after {count} elements")
    return made


def _wrong(tensor: Tensor, words: str) -> HTTPError:
    return HTTPError(400, f"tensor {tensor.name[:80]!r}: {words}")
