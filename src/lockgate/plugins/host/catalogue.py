"""What is installed, from metadata alone; a plugin is imported when it is chosen."""

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

from lockgate.contract.kinds import CONTRACT, CONTRACTS_SERVED, KINDS, kind
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

LISTENERS = "lockgate"
"""Entry-point group of plugins that only listen to events."""

ALLOW_VARIABLE = "LOCKGATE_ALLOW_PLUGINS"
"""Environment variable: distributions, separated by commas, whose plugins may be imported."""


@dataclass(frozen=True)
class InstalledPlugin:
    """One installed plugin, not yet imported.

    Attributes
    ----------
    kind : str
        Name of its kind; empty for a listener.
    name : str
        The name to choose it by.
    target : str
        ``module:attribute``.
    distribution, version : str
        Who provides it.
    editable : bool
        Whether its source is being worked on.

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
            If it cannot be imported, or is no plugin of its kind.
        ContractMismatch
            If it was written for a contract that is not served.

        """
        subject = f"{self.kind or 'listener'} {self.name!r} of {self.distribution_label}"
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.name):
            raise BrokenPlugin(f"{subject}: a name is lower case, with digits and dashes")
        module, _, attribute = self.target.partition(":")
        try:
            plugin_class = getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:
            reason = str(error) if isinstance(error, LockgateError) else _format_error(error)
            remedy = f"pip uninstall {self.distribution}, or reinstall it"
            raise BrokenPlugin(
                f"{subject} cannot be imported: {reason} ({_locate_error(error)}); "
                + ("mend it there" if self.editable else remedy)
            ) from error
        contract = contract_of(plugin_class)
        if contract is None:
            raise BrokenPlugin(
                f"{subject} is no plugin: {self.target} lacks @lockgate.plugin; tell its author"
            )
        if contract not in CONTRACTS_SERVED:
            remedy = "upgrade lockgate" if contract > CONTRACT else f"upgrade {self.distribution}"
            served = f"{CONTRACTS_SERVED[0]} to {CONTRACTS_SERVED[-1]}"
            raise ContractMismatch(
                f"{subject} needs contract {contract}; this lockgate serves {served}; {remedy}"
            )
        if self.kind and (hook := kind(self.kind).hook) not in hooks_of(plugin_class):
            raise BrokenPlugin(
                f"{subject} implements {', '.join(hooks_of(plugin_class))}; "
                f"a plugin of the kind {self.kind} implements {hook}; tell its author"
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
        """Read the metadata of this environment, and the allow list from `ALLOW`."""
        allow_list = os.environ.get(ALLOW_VARIABLE, "").strip()
        allowed = [name.strip() for name in allow_list.split(",")] if allow_list else None
        return cls(_scan_distributions(), allowed)

    def __iter__(self) -> Iterator[InstalledPlugin]:
        """Yield all entries, by kind and name."""
        return iter(self._entries)

    def names(self, of_kind: str) -> list[str]:
        """Return the sorted names of one kind."""
        return sorted({entry.name for entry in self._entries if entry.kind == of_kind})

    def find(self, of_kind: str, name: str) -> InstalledPlugin:
        """Return the one plugin of that kind and name.

        Raises
        ------
        UnknownPlugin
            If there is none; the message lists what is installed.
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
                f"{ALLOW_VARIABLE} names {', '.join(sorted(self._allowed or ()))}"
            )
        return matches[0]

    def listeners(self) -> list[InstalledPlugin]:
        """Return what listens to events, allowed distributions only."""
        return [entry for entry in self._entries if not entry.kind and self.allows(entry)]

    def allows(self, entry: InstalledPlugin) -> bool:
        """Whether the allow list lets this plugin be imported; ours always is."""
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
            # parsing the metadata of every distribution would take most of the time
            if "lockgate" not in (distribution.read_text("entry_points.txt") or ""):
                continue
            name = _normalize_name(distribution.name)
            if name in seen:
                continue  # the first one on the path is the one that is imported
            seen.add(name)
            plugins += _read_entry_points(distribution, groups)
        except Exception as error:
            log.warning(
                "an installed distribution is damaged and skipped: %s: %s",
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
    """Say where an error arose, leaving out our own decorator's frames."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [
        f
        for f in frames
        if f"{os.sep}lockgate{os.sep}" not in f.filename and "importlib" not in f.filename
    ]
    return f"{outside[-1].filename}:{outside[-1].lineno}" if outside else "no line known"


def _format_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
