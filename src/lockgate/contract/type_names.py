"""Looks into the types of settings, and describes them in plain English."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, cast

from lockgate.contract.secrets import Secret

__all__ = ["dataclasses_in", "holds_parts", "may_be_secret", "type_name", "union_members"]


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


def dataclasses_in(hint: object) -> Iterator[type]:
    """Yield the dataclasses of which a type consists, at any depth."""
    for member in union_members(hint):
        if dataclasses.is_dataclass(member):
            yield cast(type, member)
        elif typing.get_origin(member) in (list, dict):
            yield from dataclasses_in(typing.get_args(member)[-1])


def may_be_secret(hint: object) -> bool:
    """Whether a value of that type may hold a secret, which no message may show."""
    members = list(union_members(hint))
    return Secret in members or any(
        may_be_secret(typing.get_args(member)[-1])
        for member in members
        if typing.get_origin(member) in (list, dict)
    )


def holds_parts(hint: object) -> bool:
    """Whether a type is a list or mapping of dataclasses or secrets, at any depth."""
    if typing.get_origin(hint) not in (list, dict):
        return False
    inner = typing.get_args(hint)[-1]
    return any(
        part is Secret or dataclasses.is_dataclass(part) or holds_parts(part)
        for part in union_members(inner)
    )
