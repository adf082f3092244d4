"""A plugin under test, and how a check fails."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lockgate.contract.kinds import kind as kind_named
from lockgate.contract.plugin import hooks_of
from lockgate.contract.requests import Request
from lockgate.errors import LockgateError
from lockgate.plugins.host.host import Host
from lockgate.testing.fingerprints import fingerprint, inputs_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CallRecord", "Failed", "FittedExample", "PluginUnderTest"]


@dataclasses.dataclass(frozen=True)
class FittedExample:
    """A fitted model of another library, to check its converter with.

    Attributes
    ----------
    estimator : object
        The model, or a pipeline that ends in it.
    rows : pandas.DataFrame
        Rows that it was fitted on.

    """

    estimator: Any
    rows: pd.DataFrame


class Failed(AssertionError):
    """A plugin violates the contract; the message says how to fix it."""


@dataclasses.dataclass(frozen=True)
class CallRecord:
    """How a plugin served a request that was sent to it twice.

    Attributes
    ----------
    error : LockgateError, optional
        Why it refused the request.
    changed_inputs : bool
        Whether tables and models of the request were changed.
    equal : bool
        Whether both results are equal.

    """

    error: LockgateError | None = None
    changed_inputs: bool = False
    equal: bool = True


@dataclasses.dataclass(frozen=True)
class PluginUnderTest:
    """A plugin class with the settings and requests to check it with.

    Attributes
    ----------
    kind : str
        Kind of the plugin.
    cls : type
        Class of the plugin.
    settings : mapping
        Values for settings without a default.
    requests : mapping of str to Request or FittedExample
        Requests to call it with, by name; fitted models for a converter.

    """

    kind: str
    cls: type
    settings: Mapping[str, Any]
    requests: Mapping[str, Request | FittedExample]

    @property
    def hook_requests(self) -> dict[str, Request]:
        """The requests of a hook that the plugin has."""
        hooks = hooks_of(self.cls)
        return {
            name: request
            for name, request in self.requests.items()
            if isinstance(request, Request) and _hook(request, self.kind) in hooks
        }

    @functools.cached_property
    def records(self) -> dict[str, CallRecord]:
        """How the plugin served each of these requests."""
        return {name: self._record(request) for name, request in self.hook_requests.items()}

    def _record(self, request: Request) -> CallRecord:
        before = fingerprint(inputs_of(request))
        results = []
        try:
            for _ in range(2):
                # reduced at once: the second call may change what the first returned
                results.append(fingerprint(self.call(request), by_predictions=True))
        except LockgateError as error:
            return CallRecord(error)
        changed = before != fingerprint(inputs_of(request))
        return CallRecord(changed_inputs=changed, equal=results[0] == results[1])

    def host(self) -> Host:
        """Build the plugin, and return a host that has it."""
        host = Host("check")
        host.register(self.kind, "plugin", self.cls(**self.settings))
        return host

    def call(self, request: Request) -> Any:
        """Build the plugin and call it once, as the host does."""
        return self.host().call(self.kind, "plugin", request, hook=_hook(request, self.kind))


def _hook(request: Request, kind: str) -> str:
    """Return the hook that takes such a request."""
    companion = kind_named(kind).companion
    if companion is not None and companion.request in (type(request),):
        return companion.hook
    return kind_named(kind).hook
