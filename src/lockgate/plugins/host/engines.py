"""Loads a forest engine: a plugin that predicts with packed tree models in its own way."""

from __future__ import annotations

from lockgate.contract.conversion import Engine
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host

__all__ = ["load_engine"]


def load_engine(name: str) -> Engine:
    """Load an installed engine.

    Raises
    ------
    UnknownPlugin
        If no engine of this name is installed.

    """
    host = Host("predict")
    host.register("engine", name, Catalogue.installed().find("engine", name).load()())
    engine: Engine = host.call("engine", name)
    return engine
