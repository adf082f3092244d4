"""Installed plugins, from metadata only; a plugin is imported when it is chosen."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import json
import logging
import os
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lockgate.contract.kinds import CONTRACT, KINDS, SUPPORTED_CONTRACTS, kind
from lockgate.contract.plugin import contract_of, hooks_of
from lockgate.errors import (
    BrokenPlugin,
    ContractMismatch,
    LockgateError,
    PluginConflict,
    PluginError,
    UnknownPlugin,
)

__all__ = ["ALLOW_VARIABLE", "LISTENERS", "Catalogue", "InstalledPlugin"]

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PACKAGE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

LIBRARY_RULE = "the name of the package whose models it converts, e.g. lightgbm"

LISTENERS = "lockgate"
"""Entry-point group of listeners: plugins that only receive events."""

ALLOW_VARIABLE = "LOCKGATE_ALLOW_PLUGINS"
"""Environment variable: distributions, separated by commas, whose plugins may be imported."""


@dataclass(frozen=True)
class InstalledPlugin:
    """An installed plugin, not yet imported.

    Attributes
    ----------
    kind : str
        Name of its kind; empty for a listener.
    name : str
        Name of the plugin in a configuration.
    target : str
        ``module:attribute``.
    distribution, version : str
        Distribution that provides it.
    editable : bool
        Whether the distribution is an editable install.

    """

    kind: str
    name: str
    target: str
    distribution: str
    version: str
    editable: bool = False

    @property
    def distribution_label(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.distribution} {self.version}"

    def load(self) -> type:
        """Import the plugin's class.

        Raises
        ------
        BrokenPlugin
            If it cannot be imported, or is not a plugin of its kind.
        ContractMismatch
            If it was written for an unsupported version of the contract.

        """
        subject = f"{self.kind or 'listener'} {self.name!r} of {self.distribution_label}"
        by_library = bool(self.kind) and kind(self.kind).dispatch == "library"
        if not (PACKAGE if by_library else NAME).fullmatch(self.name):
            rule = "a name of lower-case letters, digits and dashes"
            raise BrokenPlugin(f"{subject}: expected {LIBRARY_RULE if by_library else rule}")
        module, _, attribute = self.target.partition(":")
        try:
            plugin_class = getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:
            reason = str(error) if isinstance(error, LockgateError) else _format_error(error)
            remedy = f"pip uninstall {self.distribution}, or reinstall it"
            raise BrokenPlugin(
                f"{subject} cannot be imported: {reason} ({_locate_error(error)}); "
                + ("fix the error there" if self.editable else remedy)
            ) from error
        contract = contract_of(plugin_class)
        if contract is None:
            raise BrokenPlugin(
                f"{subject} is not a plugin: {self.target} has no @lockgate.plugin; "
                "report it to the author"
            )
        if contract not in SUPPORTED_CONTRACTS:
            remedy = "upgrade lockgate" if contract > CONTRACT else f"upgrade {self.distribution}"
            supported = f"{SUPPORTED_CONTRACTS[0]} to {SUPPORTED_CONTRACTS[-1]}"
            raise ContractMismatch(
                f"{subject} requires contract {contract}; "
                f"this lockgate supports {supported}; {remedy}"
            )
        if self.kind and (hook := kind(self.kind).hook) not in hooks_of(plugin_class):
            raise BrokenPlugin(
                f"{subject} implements {', '.join(hooks_of(plugin_class))}, expected {hook}; "
                "report it to the author"
            )
        return plugin_class  # type: ignore[no-any-return]  # contract_of says that it is a class


class Catalogue:
    """Installed plugins by kind and name."""

    def __init__(
        self, entries: Iterable[InstalledPlugin], allowed: Iterable[str] | None = None
    ) -> None:
        self._entries = tuple(entries)
        self._allowed = None if allowed is None else {_normalize_name(name) for name in allowed}

    @classmethod
    def installed(cls) -> Catalogue:
        """Read the metadata of this environment, and the allow list from `ALLOW_VARIABLE`."""
        allow_list = os.environ.get(ALLOW_VARIABLE, "").strip()
        allowed = [name.strip() for name in allow_list.split(",")] if allow_list else None
        return cls(_scan_distributions(), allowed)

    @staticmethod
    def forget() -> None:
        """Forget what was read: distributions were installed or removed in this process."""
        _scan_distributions.cache_clear()

    def __iter__(self) -> Iterator[InstalledPlugin]:
        """Yield all entries, by kind and name."""
        return iter(self._entries)

    def names(self, of_kind: str) -> list[str]:
        """Return the sorted names of one kind."""
        return sorted({entry.name for entry in self._entries if entry.kind == of_kind})

    def find(self, of_kind: str, name: str) -> InstalledPlugin:
        """Return the plugin of that kind and name.

        Raises
        ------
        UnknownPlugin
            If it is not installed; the message lists the installed ones.
        PluginConflict
            If two distributions provide it.
        PluginError
            If its distribution is not on the allow list.

        """
        matches = [e for e in self._entries if e.kind == of_kind and e.name == name]
        if not matches:
            raise UnknownPlugin(of_kind, name, self.names(of_kind))
        if len(matches) > 1:
            both = " and ".join(entry.distribution_label for entry in matches)
            raise PluginConflict(f"{of_kind} {name!r} is provided by {both}; uninstall one of them")
        if not self.allows(matches[0]):
            raise PluginError(
                f"{of_kind} {name!r} of {matches[0].distribution_label} is not allowed here; "
                f"set {ALLOW_VARIABLE}="
                f"{','.join([*sorted(self._allowed or ()), matches[0].distribution])}"
            )
        return matches[0]

    def listeners(self) -> list[InstalledPlugin]:
        """Return the listeners of allowed distributions."""
        return [entry for entry in self._entries if not entry.kind and self.allows(entry)]

    def allows(self, entry: InstalledPlugin) -> bool:
        """Return whether this plugin may be imported; those of lockgate always may."""
        return (
            self._allowed is None
            or entry.distribution == "lockgate"
            or _normalize_name(entry.distribution) in self._allowed
        )


@functools.cache
def _scan_distributions() -> tuple[InstalledPlugin, ...]:
    groups = {kind.entry_points: kind.name for kind in KINDS} | {LISTENERS: ""}
    plugins: list[InstalledPlugin] = []
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        try:
            # parsing the metadata of every distribution is slow
            if "lockgate" not in (distribution.read_text("entry_points.txt") or ""):
                continue
            name = _normalize_name(distribution.name)
            if name in seen:
                continue  # imports take the first one on the path
            seen.add(name)
            plugins += _read_entry_points(distribution, groups)
        except Exception as error:
            log.warning(
                "skipped a damaged distribution: %s: %s",
                getattr(distribution, "_path", "unknown"),
                _format_error(error),
            )
    return tuple(sorted(plugins, key=lambda e: (e.kind, e.name, e.distribution)))


def _read_entry_points(
    distribution: importlib.metadata.Distribution, groups: Mapping[str, str]
) -> list[InstalledPlugin]:
    return [
        InstalledPlugin(
            groups[point.group],
            point.name,
            point.value.partition("[")[0].strip(),
            distribution.name,
            distribution.version,
            _is_editable(distribution),
        )
        for point in distribution.entry_points
        if point.group in groups
    ]


def _is_editable(distribution: importlib.metadata.Distribution) -> bool:
    origin = distribution.read_text("direct_url.json")
    return bool(origin and json.loads(origin).get("dir_info", {}).get("editable"))


def _normalize_name(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _locate_error(error: BaseException) -> str:
    """Return file and line of an error, without the frames of lockgate and importlib."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [
        f
        for f in frames
        if f"{os.sep}lockgate{os.sep}" not in f.filename and "importlib" not in f.filename
    ]
    return f"{outside[-1].filename}:{outside[-1].lineno}" if outside else "unknown line"


def _format_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
