"""Checks that an installed plugin is found by name, without running a pipeline."""

from __future__ import annotations

from lockgate.plugins.host.catalogue import Catalogue
from lockgate.testing.checks import Failed

__all__ = ["check_installed"]


def check_installed(kind: str, name: str) -> type:
    """Find a plugin by its entry point and import it, as all three doors do.

    Returns
    -------
    type
        The plugin's class, to go on with `check_plugin`.

    Raises
    ------
    Failed
        If it is not installed under that name; says what to put in pyproject.toml.
    LockgateError
        If it is installed and cannot be used.

    """
    catalogue = Catalogue.installed()
    if name not in catalogue.names(kind):
        raise Failed(
            f"no {kind} named {name!r} is installed; in pyproject.toml write "
            f'[project.entry-points."lockgate.{kind}"] with {name} = "package.module:Class", '
            "and install the package"
        )
    return catalogue.find(kind, name).load()
