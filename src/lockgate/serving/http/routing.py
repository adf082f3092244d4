"""Which paths there are, what each takes, and which role it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lockgate.serving.http.messages import Request, Response, SendResponse

__all__ = ["Route", "Routes"]

Answer = Callable[[Request, SendResponse], Response | None]


@dataclass(frozen=True)
class Route:
    """One path.

    Attributes
    ----------
    path : str
        With ``{words}`` where anything may stand.
    method : str
        GET or POST.
    role : str
        Role that a token needs; empty where none is asked for.
    answer : callable
        Gives the reply, or None where it is sent later.
    summary : str
        One sentence.
    kinds : tuple of str
        Content types of bodies that it takes.
    about : dict
        Further facts for the OpenAPI document.

    """

    path: str
    method: str
    role: str
    answer: Answer
    summary: str
    kinds: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)


class Routes:
    """All paths, and which one a request means."""

    def __init__(self, routes: list[Route]) -> None:
        self.all = routes
        self._exact: dict[str, dict[str, Route]] = {}
        self._shaped: list[tuple[tuple[str, ...], dict[str, Route]]] = []
        for one in routes:
            if "{" not in one.path:
                self._exact.setdefault(one.path, {})[one.method] = one
            else:
                shape = tuple(one.path.split("/"))
                known = [methods for other, methods in self._shaped if other == shape]
                if known:
                    known[0][one.method] = one
                else:
                    self._shaped.append((shape, {one.method: one}))

    def find(self, path: str) -> tuple[dict[str, Route], tuple[str, ...]]:
        """Return the routes of a path by method, and the words in it."""
        found = self._exact.get(path)
        if found is not None:
            return found, ()
        parts = tuple(path.split("/"))
        for shape, methods in self._shaped:
            if len(shape) == len(parts):
                words = []
                for want, have in zip(shape, parts, strict=True):
                    if want[:1] == "{":
                        words.append(have)
                    elif want != have:
                        break
                else:
                    if all(words):
                        return methods, tuple(words)
        return {}, ()
