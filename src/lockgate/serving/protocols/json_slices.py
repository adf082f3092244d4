"""Decodes long JSON arrays and objects in slices, so that no other thread waits for long.

Decoding holds the interpreter's lock. A body is first divided into its fields as they stand,
which builds no objects and takes about a millisecond for each megabyte; a long field is then
cut where an element seems to end. A slice that is cut in a text or inside of an element is not
valid JSON by itself, so that a wrong cut is noticed, and another is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

__all__ = ["SLICE", "decode_any", "decode_object", "decode_slices"]

SLICE = 128 << 10
"""Bytes that are decoded at once, about a millisecond."""

MAX_CUTS = 16
"""Cuts that are tried before a longer slice is taken."""

T = TypeVar("T")

decode_any = msgspec.json.Decoder(list[Any]).decode
decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

ENDS = {b"{": b"},", b"[": b"],", b'"': b'",'}
"""How an element seems to end and another to begin, by the first byte of an element."""


def decode_slices(
    array: msgspec.Raw,
    decode: Callable[[bytes], list[T]] = decode_any,
    size: int = SLICE,
) -> Iterator[list[T]]:
    """Decode an array, slice by slice.

    Parameters
    ----------
    array : msgspec.Raw
        A JSON value, known to be valid.
    decode : callable
        Decodes an array that is a part of it.
    size : int
        Bytes of a slice; longer elements are in longer ones.

    Examples
    --------
    >>> list(decode_slices(msgspec.Raw(b'[{"a": "},{"}, {"a": 2}]'), size=16))
    [[{'a': '},{'}], [{'a': 2}]]

    Raises
    ------
    msgspec.ValidationError
        If it is not an array, or `decode` refuses an element.

    """
    raw = memoryview(array)
    if len(raw) <= size or raw[0] != ord("["):
        yield decode(bytes(raw))
        return
    content = raw[1:-1]
    end = ENDS.get(bytes(content[:size]).lstrip()[:1], b",")
    yield from _decode_content(content, end, b"[%b]", decode, size)


def decode_object(value: msgspec.Raw, max_fields: int, size: int = SLICE) -> dict[str, msgspec.Raw]:
    """Divide an object into its fields, up to somewhat more than `max_fields` of them.

    Raises
    ------
    msgspec.ValidationError
        If it is not an object.

    """
    raw = memoryview(value)
    if len(raw) <= size or raw[0] != ord("{"):
        return decode_fields(bytes(raw))
    fields: dict[str, msgspec.Raw] = {}
    for decoded in _decode_content(raw[1:-1], b"],", b"{%b}", decode_fields, size):
        fields |= decoded
        if len(fields) > max_fields:
            break
    return fields


def _decode_content(
    content: memoryview, end: bytes, enclosed: bytes, decode: Callable[[bytes], T], slice_size: int
) -> Iterator[T]:
    start, size = 0, slice_size
    while len(content) - start > size:
        window = bytes(content[start : start + size])
        for cut in _cuts(window, end):
            try:
                decoded = decode(enclosed % window[:cut])
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:
                continue  # it was cut in a text, or inside of an element
            yield decoded
            start, size = start + cut + 1, slice_size
            break
        else:
            size *= 2
    yield decode(enclosed % bytes(content[start:]))


def _cuts(window: bytes, end: bytes) -> Iterator[int]:
    """Yield positions of commas at which an element may end, from the last on."""
    for pattern in dict.fromkeys((end, b",")):
        position = len(window)
        for _ in range(MAX_CUTS):
            position = window.rfind(pattern, 0, position)
            if position < 0:
                break
            yield position + len(pattern) - 1
