"""Decodes long JSON arrays and objects in slices, so that no other thread waits for long.

Decoding holds the interpreter's lock. A body is first divided into its fields as they stand,
which builds no objects and takes about a millisecond for each megabyte; a long field is then
cut where an element seems to end. A slice that is cut in a text or inside of an element is not
valid JSON by itself, so that a wrong cut is noticed, and another is tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sized
from typing import Any, TypeVar

import msgspec

__all__ = ["SLICE", "decode_any", "decode_object", "decode_slices"]

SLICE = 128 << 10
"""Bytes that are decoded at once, about a millisecond."""

MAX_CUTS = 16
"""Cuts that are tried before a longer slice is taken; of a longer one only two are."""

MAX_ELEMENT = 1 << 20
"""Bytes of an element that may have any number of parts."""

MAX_PARTS = 1_000_000
"""Parts of a longer element, counted by its commas; no row has so many columns."""

T = TypeVar("T")
S = TypeVar("S", bound=Sized)

decode_any = msgspec.json.Decoder(list[Any]).decode
decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

ENDS = {b"{": (b"},",), b"[": (b"],",), b'"': (b'",', b",")}
"""How an element seems to end and another to begin, by the first byte of an element."""

SPACED_END = re.compile(rb"[}\]][ \t\r\n]*,")
"""The end of a row where blanks precede the comma, or rows of both forms stand side by side."""

FIELD_ENDS = (b"],", b",")
"""The same of a field."""


def decode_slices(
    array: msgspec.Raw,
    decode: Callable[[bytes], list[T]] = decode_any,
    size: int = SLICE,
    *,
    max_parts: int | None = MAX_PARTS,
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
    max_parts : int or None
        Commas that an element of over `MAX_ELEMENT` bytes may have; None for any number.

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
    ends = ENDS.get(bytes(content[:size]).lstrip()[:1], (b",",))
    yield from _decode_content(content, ends, b"[%b]", decode, size, max_parts)


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
    for decoded in _decode_content(raw[1:-1], FIELD_ENDS, b"{%b}", decode_fields, size):
        fields |= decoded
        if len(fields) > max_fields:
            break
    return fields


def _decode_content(
    content: memoryview,
    ends: tuple[bytes, ...],
    enclosed: bytes,
    decode: Callable[[bytes], S],
    slice_size: int,
    max_parts: int | None = None,
) -> Iterator[S]:
    start, size, count = 0, slice_size, 0
    while len(content) - start > size:
        window = bytes(content[start : start + size])
        if max_parts is not None and size > MAX_ELEMENT and window.count(b",") > max_parts:
            raise msgspec.ValidationError(f"an element has more than {max_parts} parts")
        for cut in _cuts(window, ends, MAX_CUTS if size == slice_size else 2):
            try:
                decoded = decode(enclosed % window[:cut])
            except msgspec.ValidationError as error:
                raise _shifted(error, count) from None
            except msgspec.DecodeError:
                continue  # it was cut in a text, or inside of an element
            yield decoded
            count += len(decoded)
            start, size = start + cut + 1, slice_size
            break
        else:
            size *= 2
    try:
        decoded = decode(enclosed % bytes(content[start:]))
    except msgspec.ValidationError as error:
        raise _shifted(error, count) from None
    yield decoded


def _shifted(error: msgspec.ValidationError, count: int) -> msgspec.ValidationError:
    """Return an error whose index counts from the start of the array."""
    message = re.sub(
        r"`\$\[(\d+)\]", lambda match: f"`$[{int(match[1]) + count}]", str(error), count=1
    )
    return msgspec.ValidationError(message)


def _cuts(window: bytes, ends: tuple[bytes, ...], attempts: int) -> Iterator[int]:
    """Yield positions of commas at which an element may end, from the last on."""
    any_end = False
    for pattern in ends:
        position = len(window)
        for _ in range(attempts):
            position = window.rfind(pattern, 0, position)
            if position < 0:
                break
            any_end = True
            yield position + len(pattern) - 1
    if not any_end:
        spaced = [match.end() - 1 for match in SPACED_END.finditer(window)]
        yield from reversed(spaced[-attempts:])
