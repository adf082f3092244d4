"""Calls plugins through pluggy, and names the plugin that fails."""

from __future__ import annotations

import dataclasses
import logging
import sys
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pluggy

from lockgate.contract.hooks import Events, Operations
from lockgate.contract.kinds import kind
from lockgate.contract.requests import Request
from lockgate.contract.secrets import hide_secrets
from lockgate.contract.settings import settings_of
from lockgate.errors import PIPELINE_LIBRARIES, LockgateError, MissingExtra, PluginFailed
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.plugin_choice import PluginChoice

__all__ = ["Host"]

log = logging.getLogger(__name__)


class Host:
    """A plugin manager for a stage.

    Parameters
    ----------
    stage : str
        Name of the stage, for messages.

    Examples
    --------
    >>> import lockgate
    >>> @lockgate.plugin
    ... class Nothing:
    ...     "Compress nothing."
    ...     @lockgate.hookimpl
    ...     def compress(self, request):
    ...         return request.candidate
    >>> host = Host("compress")
    >>> host.register("compressor", "nothing", Nothing())
    >>> host.names("compressor")
    ['nothing']

    """

    def __init__(self, stage: str = "") -> None:
        self.stage = stage
        self._manager = pluggy.PluginManager("lockgate")
        self._manager.add_hookspecs(Operations)
        self._manager.add_hookspecs(Events)

    def register(self, of_kind: str, instance: str, plugin: object) -> None:
        """Register a plugin under its kind and instance name."""
        self._manager.register(plugin, name=f"{of_kind}.{instance}")
        self._manager.check_pending()

    def register_choices(self, chosen: Iterable[PluginChoice]) -> None:
        """Build and register the configured plugins."""
        for choice in chosen:
            self.register(choice.kind, choice.name, choice.build())

    def register_listeners(self, catalogue: Catalogue) -> None:
        """Register all listeners; log a warning for broken ones and skip them."""
        for entry in catalogue.listeners():
            try:
                self.register("listener", entry.name, entry.load()())
            except (Exception, SystemExit) as error:
                log.warning(
                    "skipped listener %s of %s: %s", entry.name, entry.distribution_label, error
                )

    def names(self, of_kind: str) -> list[str]:
        """Return the registered instances of a kind, in the order registered."""
        names = [name for name, _ in self._manager.list_name_plugin()]
        return [name.partition(".")[2] for name in names if name.partition(".")[0] == of_kind]

    def call(
        self,
        of_kind: str,
        instance: str,
        request: Request | None = None,
        *,
        hook: str | None = None,
    ) -> Any:
        """Call the operation of a plugin.

        Parameters
        ----------
        of_kind, instance : str
            Kind and instance name of the plugin.
        request : Request, optional
            Argument of the hook; its `scratch` is set to an empty directory.
        hook : str, optional
            The hook; by default the one that every plugin of the kind has.

        Returns
        -------
        object
            Result of the hook, of the type that its kind declares.

        Raises
        ------
        PluginFailed
            If it raised an error that is not lockgate's, or returned another type;
            the message names plugin, settings, stage and line.

        """
        operation = kind(of_kind).operation(hook)
        implementations = getattr(self._manager.hook, operation.hook).get_hookimpls()
        plugin_name = f"{of_kind}.{instance}"
        implementation = next(impl for impl in implementations if impl.plugin_name == plugin_name)
        with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
            try:
                if request is None:
                    result = implementation.function()
                else:
                    scratch_request = dataclasses.replace(request, scratch=Path(scratch))
                    result = implementation.function(scratch_request)
            except LockgateError as error:
                error.args = tuple(
                    hide_secrets(part) if isinstance(part, str) else part for part in error.args
                )
                raise
            except ModuleNotFoundError as error:
                raise self._explain_missing_module(
                    plugin_name, implementation.plugin, error
                ) from error
            except (Exception, SystemExit) as error:
                message = self._format_plugin_error(plugin_name, implementation.plugin, error)
                # the cause is kept, for who debugs the plugin, unless it shows a secret
                hidden = hide_secrets(str(error)) != str(error)
                raise PluginFailed(message) from (None if hidden else error)
        if not isinstance(result, operation.result):
            raise PluginFailed(
                f"{plugin_name} returned {type(result).__name__}; "
                f"{operation.hook} must return lockgate.{operation.result.__name__}"
            )
        return result

    def notify(self, event_hook: str, event: object) -> None:
        """Send an event to every listener; log a warning for each that fails."""
        for impl in reversed(getattr(self._manager.hook, event_hook).get_hookimpls()):
            try:
                impl.function(event)
            except Exception as error:
                log.warning("%s failed in %s: %s", impl.plugin_name, event_hook, error)

    def _explain_missing_module(
        self, name: str, plugin: object, error: ModuleNotFoundError
    ) -> LockgateError:
        """Return the error that names the missing extra, if an extra installs the module."""
        if (error.name or "").partition(".")[0] in PIPELINE_LIBRARIES:
            return MissingExtra("pipeline", name)
        return PluginFailed(self._format_plugin_error(name, plugin, error))

    def _format_plugin_error(self, name: str, plugin: object, error: BaseException) -> str:
        cls: type = type(plugin)
        settings = ", ".join(f"{key}={getattr(plugin, key)!r}" for key in settings_of(cls))
        frames = traceback.extract_tb(error.__traceback__)
        plugin_frames = [
            frame for frame in frames if frame.filename == _find_source_file(plugin)
        ] or frames[-1:]
        line = (
            f"{plugin_frames[-1].filename}:{plugin_frames[-1].lineno}"
            if plugin_frames
            else "unknown line"
        )
        message = " ".join(str(error).split())
        return hide_secrets(
            f"{name} ({settings}) failed in stage {self.stage} at {line}: "
            f"{type(error).__name__}: {message}"
        )


def _find_source_file(plugin: object) -> str:
    return getattr(sys.modules.get(type(plugin).__module__), "__file__", "") or ""
