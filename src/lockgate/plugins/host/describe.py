"""Describes installed plugins: provider, summary, settings, and what is wrong with one."""

from __future__ import annotations

import dataclasses
from typing import Any

from lockgate.contract.kinds import KINDS
from lockgate.contract.settings import defaults, settings_of
from lockgate.errors import LockgateError, UsageError
from lockgate.plugins.host.catalogue import Catalogue, InstalledPlugin
from lockgate.suggestions import nearest

__all__ = ["LISTENER", "PluginDescription", "SettingDescription", "describe_plugins"]

LISTENER = "listener"
"""Kind of the plugins that only listen to events."""


@dataclasses.dataclass(frozen=True)
class SettingDescription:
    """A setting of a plugin: its name, default value, allowed values and help."""

    name: str
    default: Any
    allowed: str
    help: str


STAGES_OF = {
    "gate": (
        SettingDescription(
            "stages", "", "str, names separated by commas", "stages to guard; empty: all stages"
        ),
    )
}
"""Settings that the host gives to every plugin of a kind."""


@dataclasses.dataclass(frozen=True)
class PluginDescription:
    """An installed plugin.

    Attributes
    ----------
    kind, name : str
        What it is chosen by.
    distribution, version : str
        The package that provides it.
    summary : str
        First line of its docstring.
    settings : tuple of SettingDescription
        Its settings.
    error : str or None
        Why it cannot be used.

    """

    kind: str
    name: str
    distribution: str
    version: str
    summary: str = ""
    settings: tuple[SettingDescription, ...] = ()
    error: str | None = None


def describe_plugins(
    kind: str | None = None, name: str | None = None, *, catalogue: Catalogue | None = None
) -> list[PluginDescription]:
    """Describe the installed plugins; each one is imported.

    Parameters
    ----------
    kind : str, optional
        Only plugins of this kind.
    name : str, optional
        Only plugins of this name.
    catalogue : Catalogue, optional
        Where to look; by default in this environment.

    Raises
    ------
    UsageError
        If the kind is unknown.
    UnknownPlugin
        If no plugin of that kind has the name.

    """
    kinds = [*(row.name for row in KINDS), LISTENER]
    if kind is not None and kind not in kinds:
        raise UsageError(
            f"unknown kind {kind!r}{nearest(kind, kinds)}; available: {', '.join(kinds)}"
        )
    catalogue = Catalogue.installed() if catalogue is None else catalogue
    if kind not in (None, LISTENER) and name is not None:
        catalogue.find(kind, name)
    return [
        _describe(catalogue, entry)
        for entry in catalogue
        if kind in (None, entry.kind or LISTENER) and name in (None, entry.name)
    ]


def _describe(catalogue: Catalogue, entry: InstalledPlugin) -> PluginDescription:
    description = PluginDescription(
        entry.kind or LISTENER, entry.name, entry.distribution, entry.version
    )
    try:
        if not catalogue.allows(entry):
            return dataclasses.replace(description, summary="not on the allow list; not imported")
        if entry.kind:
            catalogue.find(entry.kind, entry.name)
        plugin_class = entry.load()
    except LockgateError as error:
        return dataclasses.replace(description, error=str(error))
    docstring = (plugin_class.__doc__ or "").strip()
    return dataclasses.replace(
        description,
        summary=docstring.partition("\n")[0],
        settings=(*_describe_settings(plugin_class), *STAGES_OF.get(entry.kind, ())),
    )


def _describe_settings(plugin_class: type) -> list[SettingDescription]:
    default_values = defaults(plugin_class)
    return [
        SettingDescription(
            name, default_values.get(name, "(must be set)"), rule.describe(hint), rule.help
        )
        for name, (hint, rule) in settings_of(plugin_class).items()
        if not dataclasses.is_dataclass(hint)
    ]
