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
        self._patterns: list[tuple[tuple[str, ...], dict[str, Route]]] = []
        for route in routes:
            if "{" not in route.path:
                self._exact.setdefault(route.path, {})[route.method] = route
            else:
                pattern = tuple(route.path.split("/"))
                matching = [methods for other, methods in self._patterns if other == pattern]
                if matching:
                    matching[0][route.method] = route
                else:
                    self._patterns.append((pattern, {route.method: route}))

    def find(self, path: str) -> tuple[dict[str, Route], tuple[str, ...]]:
        """Return the routes of a path by method, and the words in it."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, ()
        parts = tuple(path.split("/"))
        for pattern, methods in self._patterns:
            if len(pattern) == len(parts):
                path_params = []
                for expected, part in zip(pattern, parts, strict=True):
                    if expected[:1] == "{":
                        path_params.append(part)
                    elif expected != part:
                        break
                else:
                    if all(path_params):
                        return methods, tuple(path_params)
        return {}, ()
