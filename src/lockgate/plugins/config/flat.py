"""Nested mappings as dotted keys, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_DOT = re.compile(r"(?<!\\)\.")

__all__ = ["UNSET", "differences", "flatten", "nest"]


class _Unset:
    """Type of `UNSET`, which a message shows as text."""

    def __repr__(self) -> str:
        return "(unset)"


UNSET = _Unset()
"""A parameter that is not set, which is not the same as one set to null."""


def flatten(value: object, key_path: str = "") -> dict[str, Any]:
    r"""Flatten nested mappings to dotted keys; empty mappings and lists are leaves.

    A dot within a key, such as a column's name, is written ``\.``.

    Examples
    --------
    >>> flatten({"a": {"b": 1, "c": []}, "d": {}})
    {'a.b': 1, 'a.c': [], 'd': {}}
    >>> nest(flatten({"kinds": {"v1.2": "number"}}))
    {'kinds': {'v1.2': 'number'}}

    """
    if not isinstance(value, dict) or (not value and key_path):
        return {key_path: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        escaped = str(key).replace(".", "\\.")
        flat |= flatten(inner, f"{key_path}.{escaped}" if key_path else escaped)
    return flat


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys as nested mappings.

    Examples
    --------
    >>> nest({"a.b": 1, "a.c": []})
    {'a': {'b': 1, 'c': []}}

    """
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *path, last = (part.replace("\\.", ".") for part in _DOT.split(key))
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return nested


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the dotted keys by which two nested mappings differ, sorted."""
    left, right = flatten(dict(first)), flatten(dict(second))
    missing = object()
    return sorted(
        key
        for key in left.keys() | right.keys()
        if left.get(key, missing) != right.get(key, missing)
    )
