"""A plugin that a project has chosen, with its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.plugins.host.catalogue import InstalledPlugin

__all__ = ["PluginChoice"]


@dataclass(frozen=True)
class PluginChoice:
    """A configured plugin.

    Attributes
    ----------
    kind : str
        Name of its kind.
    name : str
        Instance name: its key in the configuration, often the plugin's name.
    entry : InstalledPlugin
        The installed plugin.
    settings : mapping
        Checked settings.
    stages : tuple of str
        Stages that a gate applies to; empty for all stages, and for other kinds.

    """

    kind: str
    name: str
    entry: InstalledPlugin
    settings: Mapping[str, Any]
    stages: tuple[str, ...] = ()

    @property
    def on_packed(self) -> bool:
        """Whether a compressor changes the packed form, not the estimator."""
        return getattr(self.entry.load(), "on_packed", False) is True

    @property
    def in_report(self) -> bool:
        """Whether a gate needs metrics and rows alone, so that a report can have its result."""
        return getattr(self.entry.load(), "in_report", False) is True

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that a model or evaluator is for; empty for all but several targets at once."""
        return tuple(getattr(self.entry.load(), "tasks", ()))

    def build(self) -> object:
        """Construct the plugin."""
        return self.entry.load()(**self.settings)
