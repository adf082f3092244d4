"""Finds an installed plugin by name, without running a pipeline."""

from __future__ import annotations

from lockgate.plugins.host.catalogue import Catalogue
from lockgate.testing.subject import Failed

__all__ = ["check_installed"]


def check_installed(kind: str, name: str) -> type:
    """Find a plugin by its entry point and import it, as the command line does.

    Parameters
    ----------
    kind, name : str
        Kind and name of the plugin, e.g. ``compressor`` and ``lasso``.

    Returns
    -------
    type
        The class of the plugin, to pass to `check_plugin`.

    Raises
    ------
    Failed
        If it is not installed under that name; the message has the lines for pyproject.toml.
    LockgateError
        If it is installed but cannot be imported.

    """
    catalogue = Catalogue.installed()
    if name not in catalogue.names(kind):
        raise Failed(
            f"no {kind} named {name!r} is installed; in pyproject.toml write "
            f'[project.entry-points."lockgate.{kind}"] with {name} = "package.module:Class", '
            "and install the package"
        )
    return catalogue.find(kind, name).load()
