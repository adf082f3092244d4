"""Calls plugins through pluggy, one at a time, and names whoever fails."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pluggy

from lockgate.contract.hooks import Events, Operations
from lockgate.contract.kinds import kind
from lockgate.contract.requests import Request
from lockgate.contract.settings import settings_of
from lockgate.errors import PIPELINE_LIBRARIES, LockgateError, MissingExtra, PluginFailed
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import PluginChoice

__all__ = ["Host"]

log = logging.getLogger(__name__)


class Host:
    """A plugin manager for one stage.

    Parameters
    ----------
    stage : str
        What is being done, for messages.

    Examples
    --------
    >>> import lockgate
    >>> @lockgate.plugin
    ... class Nothing:
    ...     "Compress nothing."
    ...     @lockgate.hookimpl
    ...     def compress(self, shrink):
    ...         return shrink
    >>> host = Host("compress")
    >>> host.plug("compressor", "nothing", Nothing())
    >>> host.names("compressor")
    ['nothing']

    """

    def __init__(self, stage: str = "") -> None:
        self.stage = stage
        self._manager = pluggy.PluginManager("lockgate")
        self._manager.add_hookspecs(Operations)
        self._manager.add_hookspecs(Events)
        self._broken: list[str] = []

    def register(self, of_kind: str, instance: str, plugin: object) -> None:
        """Register a plugin under its kind and instance name."""
        self._manager.register(plugin, name=f"{of_kind}.{instance}")
        self._manager.check_pending()

    def plug_chosen(self, chosen: Iterable[PluginChoice]) -> None:
        """Build and register what a configuration chose."""
        for one in chosen:
            self.register(one.kind, one.name, one.build())

    def plug_listeners(self, catalogue: Catalogue) -> None:
        """Register everything that listens to events; skip and name what is broken."""
        for entry in catalogue.listeners():
            try:
                self.register("listener", entry.name, entry.load()())
            except (Exception, SystemExit) as error:
                log.warning(
                    "listener %s of %s skipped: %s", entry.name, entry.distribution_label, error
                )

    def names(self, of_kind: str) -> list[str]:
        """Return the registered instances of a kind, in the order registered."""
        names = [name for name, _ in self._manager.list_name_plugin()]
        return [name.partition(".")[2] for name in names if name.partition(".")[0] == of_kind]

    def call(self, of_kind: str, instance: str, request: Request | None = None) -> Any:
        """Call one plugin's operation.

        Parameters
        ----------
        of_kind, instance : str
            Which plugin.
        request : Request, optional
            What to give it; its `scratch` is set to an empty directory.

        Returns
        -------
        object
            What the plugin answered, of its kind's answer type.

        Raises
        ------
        PluginFailed
            If it raised anything but an error of lockgate's own, or answered
            something else; names plugin, settings, stage and line.

        """
        row = kind(of_kind)
        implementations = getattr(self._manager.hook, row.hook).get_hookimpls()
        wanted = f"{of_kind}.{instance}"
        found = next(impl for impl in implementations if impl.plugin_name == wanted)
        with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
            try:
                if request is None:
                    answer = found.function()
                else:
                    given = dataclasses.replace(request, scratch=Path(scratch))
                    answer = found.function(given)
            except LockgateError:
                raise
            except ModuleNotFoundError as error:
                raise self._missing(wanted, found.plugin, error) from error
            except (Exception, SystemExit) as error:
                raise PluginFailed(
                    self._plugin_error_message(wanted, found.plugin, error)
                ) from error
        if not isinstance(answer, row.answer):
            raise PluginFailed(
                f"{wanted} gave {type(answer).__name__}; "
                f"{row.hook} must give lockgate.{row.answer.__name__}"
            )
        return answer

    def notify(self, event_hook: str, event: object) -> None:
        """Tell every listener; one that fails is named and stops nobody."""
        for impl in reversed(getattr(self._manager.hook, event_hook).get_hookimpls()):
            try:
                impl.function(event)
            except Exception as error:
                log.warning("%s failed in %s: %s", impl.plugin_name, event_hook, error)

    def _missing(self, name: str, plugin: object, error: ModuleNotFoundError) -> LockgateError:
        """Name the extra that is not installed, if that is what is missing."""
        if (error.name or "").partition(".")[0] in PIPELINE_LIBRARIES:
            return MissingExtra("pipeline", name)
        return PluginFailed(self._plugin_error_message(name, plugin, error))

    def _plugin_error_message(self, name: str, plugin: object, error: BaseException) -> str:
        cls: type = type(plugin)
        settings = ", ".join(f"{key}={getattr(plugin, key)!r}" for key in settings_of(cls))
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == _file(plugin)] or frames[-1:]
        line = f"{own[-1].filename}:{own[-1].lineno}" if own else "unknown line"
        words = " ".join(str(error).split())
        return (
            f"{name} ({settings}) failed in stage {self.stage} at {line}: "
            f"{type(error).__name__}: {words}"
        )


def _file(plugin: object) -> str:
    import sys

    return getattr(sys.modules.get(type(plugin).__module__), "__file__", "") or ""
