"""Routes: which paths there are, the bodies that each takes, and the role that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockgate.serving.http.messages import Request, Response, SendResponse

__all__ = ["Route", "Routes"]

Answer = Callable[[Request, SendResponse], Response | None]
"""Answers a request: with a response, or with None where it is sent later."""

ReadBody = Callable[..., Any]
"""Makes what the application predicts of a request; see `lockgate.serving.prediction`."""


@dataclass(frozen=True)
class Route:
    """A path with a method.

    Attributes
    ----------
    path : str
        A segment like ``{model}`` matches any text, which becomes a path parameter.
    method : {"GET", "POST"}
        The method; HEAD is answered as GET.
    role : str
        Role that a token needs; empty where every client may ask.
    summary : str
        One sentence for the OpenAPI document.
    answer : callable or None
        Answers a request; None for routes that predict.
    bodies : mapping of str to (callable or None)
        Content types of bodies that it takes, an empty one for a request that names none.
        A callable makes rows to predict of the request; with None, `answer` reads the body.
    about : dict
        Further facts for the OpenAPI document.

    """

    path: str
    method: str
    role: str
    summary: str
    answer: Answer | None = None
    bodies: Mapping[str, ReadBody | None] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


class Routes:
    """All routes, found by path and method."""

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
        """Return the routes of a path by method, and its path parameters."""
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
