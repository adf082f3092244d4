"""Tensors of the Open Inference Protocol, in JSON and as bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from types import NoneType
from typing import Any

import msgspec
import numpy as np

from lockgate.data.columns.sources import EXACT_INTEGER_LIMIT
from lockgate.serving.http.messages import HTTPError, read_body
from lockgate.serving.protocols.json_rows import ABSENT, is_present
from lockgate.serving.protocols.json_slices import decode_slices

__all__ = ["DATATYPES", "Tensor", "as_column", "pack", "unpack"]

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

ACCEPTED: dict[str, set[type]] = {"b": {bool, NoneType}, "f": {int, float, NoneType}}
"""Types of elements in JSON, by NumPy's kind of the datatype; whole numbers for all others."""

MAX_AXES = 8
"""Axes that a tensor may have."""

MAX_ELEMENTS = 1 << 26
"""Elements that a tensor may have."""


class Tensor(msgspec.Struct):
    """A tensor as it stands in a request; further keys are allowed and not looked at.

    Attributes
    ----------
    name, datatype : str
        Its name, and a name of `DATATYPES` or BYTES.
    shape : list of int
        Lengths of its axes.
    data : msgspec.Raw
        List of elements, nested or flat in row-major order; absent where they follow as bytes.
    parameters : dict or None
        ``binary_data_size`` says how many bytes follow.

    """

    name: str
    datatype: str
    shape: list[int]
    data: msgspec.Raw = ABSENT
    parameters: dict[str, Any] | None = None


def unpack(tensor: Tensor, rest: memoryview) -> tuple[Any, memoryview]:
    """Return a tensor's elements, flat, and the bytes behind them.

    Returns
    -------
    ndarray or list
        Numbers as their datatype says; a list of texts, or a list where null means missing.

    Raises
    ------
    HTTPError
        400, if elements do not agree with shape and datatype.

    """
    if tensor.datatype != "BYTES" and tensor.datatype not in DATATYPES:
        known = ", ".join((*DATATYPES, "BYTES"))
        raise _tensor_error(tensor, f"expected a datatype of {known}, got {tensor.datatype[:20]!r}")
    count = _count_elements(tensor)
    size = (tensor.parameters or {}).get("binary_data_size")
    if size is None:
        if not is_present(tensor.data):
            raise _tensor_error(tensor, "expected data or binary_data_size, got neither")
        flat = read_body(
            lambda _: _decode_elements(tensor, count),
            b"",
            f"expected a list of elements in tensor {tensor.name[:80]!r}",
        )
        if tensor.datatype == "BYTES":
            _check_types(tensor, flat, {str, NoneType}, "a text")
            return flat, rest
        return _to_numbers(tensor, flat), rest
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
        raise _tensor_error(tensor, f"binary_data_size is {size!r}, {len(rest)} bytes follow")
    content, rest = rest[:size], rest[size:]
    if tensor.datatype == "BYTES":
        return _split_texts(tensor, content, count), rest
    dtype = np.dtype(DATATYPES[tensor.datatype])
    if size != count * dtype.itemsize:
        raise _tensor_error(
            tensor, f"expected {count} elements of {dtype.itemsize} bytes, got {size} bytes"
        )
    if tensor.datatype == "BOOL":
        return np.frombuffer(content, np.uint8) != 0, rest
    return np.frombuffer(content, dtype), rest


def pack(values: Any, datatype: str) -> bytes:
    """Write elements as bytes."""
    if datatype == "BYTES":
        texts = [str(element).encode() for element in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.ascontiguousarray(values, DATATYPES[datatype]).tobytes()


def as_column(values: Any) -> Any:
    """Return elements as models take them: floats of 64 bits, missing values None or NaN."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return values.astype(np.float64)
    return values


def _count_elements(tensor: Tensor) -> int:
    count = 1
    if len(tensor.shape) > MAX_AXES:
        raise _tensor_error(tensor, f"expected at most {MAX_AXES} axes, got {len(tensor.shape)}")
    for length in tensor.shape:
        if length < 0:
            raise _tensor_error(tensor, f"shape {tensor.shape[:8]} has a negative length")
        count *= length
        if count > MAX_ELEMENTS:
            raise _tensor_error(
                tensor, f"shape {tensor.shape} asks for more than {MAX_ELEMENTS} elements"
            )
    return count


def _decode_elements(tensor: Tensor, count: int) -> list[Any]:
    """Decode the elements, flat; an error where nesting or number differ from the shape."""
    flat: list[Any] = []
    lengths: list[int] | None = None
    slices: Iterator[list[Any]] = decode_slices(tensor.data)
    for elements in slices:
        if lengths is None:
            lengths = _inner_lengths(tensor, elements)
        for length in lengths:
            if not all(isinstance(nested, list) and len(nested) == length for nested in elements):
                raise _tensor_error(
                    tensor, f"the nested data do not have the shape {tensor.shape[:8]}"
                )
            elements = [element for nested in elements for element in nested]
        flat += elements
        if len(flat) > count:
            break
    if len(flat) != count:
        more = " or more" if len(flat) > count else ""
        raise _tensor_error(
            tensor, f"shape {tensor.shape[:8]} does not fit {len(flat)}{more} elements"
        )
    return flat


def _inner_lengths(tensor: Tensor, elements: list[Any]) -> list[int]:
    """Return the lengths of nested lists, by level; none where the data are flat."""
    first, depth = elements[0] if elements else None, 0
    while isinstance(first, list) and depth < MAX_AXES:
        first, depth = first[0] if first else None, depth + 1
    if depth not in (0, len(tensor.shape) - 1):
        raise _tensor_error(
            tensor, f"the data are nested {depth + 1} deep, expected {len(tensor.shape)} or 1"
        )
    return tensor.shape[1 : depth + 1]


def _check_types(tensor: Tensor, flat: list[Any], accepted: set[type], expected: str) -> None:
    if not set(map(type, flat)) <= accepted:
        k, element = next((k, e) for k, e in enumerate(flat) if type(e) not in accepted)
        raise _tensor_error(tensor, f"element {k} is {element!r:.60}, expected {expected}")


def _to_numbers(tensor: Tensor, flat: list[Any]) -> Any:
    """Return numbers of a JSON tensor as its datatype holds them; None is a missing value."""
    dtype = np.dtype(DATATYPES[tensor.datatype])
    _check_types(tensor, flat, ACCEPTED.get(dtype.kind, {int, NoneType}), tensor.datatype)
    if dtype.kind == "f" and int in set(map(type, flat)):
        for k, element in enumerate(flat):
            if type(element) is int and abs(element) > EXACT_INTEGER_LIMIT:
                raise _tensor_error(
                    tensor,
                    f"element {k} is {element}, a whole number beyond 2**53, which no float holds",
                )
    if tensor.datatype in ("BOOL", "FP64"):
        return flat  # as the model takes them
    try:
        with np.errstate(over="ignore"):
            if dtype.kind != "f" and None in flat:
                return [None if e is None else np.array(e, dtype).item() for e in flat]
            return np.array(flat, dtype)
    except (OverflowError, ValueError):
        raise _tensor_error(
            tensor, f"an element is out of the range of {tensor.datatype}"
        ) from None


def _split_texts(tensor: Tensor, content: memoryview, count: int) -> list[str]:
    raw, offset = bytes(content), 0
    unpack_length = struct.Struct("<I").unpack_from
    texts = []
    try:
        for _ in range(count):
            start = offset + 4
            offset = start + unpack_length(raw, offset)[0]
            texts.append(raw[start:offset].decode())
    except struct.error:
        raise _tensor_error(
            tensor, f"the bytes end before element {len(texts)} of {count}"
        ) from None
    except UnicodeDecodeError:
        raise _tensor_error(tensor, f"element {len(texts)} is not valid UTF-8") from None
    if offset > len(raw):
        raise _tensor_error(tensor, "an element is longer than the bytes that follow")
    if offset < len(raw):
        raise _tensor_error(tensor, f"{len(raw) - offset} bytes are left after {count} elements")
    return texts


def _tensor_error(tensor: Tensor, message: str) -> HTTPError:
    return HTTPError(400, f"tensor {tensor.name[:80]!r}: {message}")
