"""Describes the types of settings in plain English."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

from lockgate.contract.secrets import Secret

__all__ = ["type_name", "union_members"]


def union_members(hint: object) -> Iterator[Any]:
    """Yield the members of a union, or the type itself."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        yield from typing.get_args(hint)
    else:
        yield hint


def type_name(hint: object) -> str:
    """Describe a type hint in plain English.

    Examples
    --------
    >>> type_name(list[int]), type_name(float | None)
    ('list of int', 'float or null')

    """
    if hint is Secret:
        return "name of an environment variable"
    members = list(union_members(hint))
    if len(members) > 1:
        names = [type_name(m) for m in members if m is not type(None)]
        return " or ".join(names + (["null"] if type(None) in members else []))
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, args))
    if origin in (list, tuple):
        return f"list of {type_name(args[0])}"
    if origin is dict:
        return f"mapping of {type_name(args[0])} to {type_name(args[1])}"
    return getattr(hint, "__name__", str(hint))
