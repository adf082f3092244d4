"""What every stage shares: checked parameters, a host with its plugins, events, time."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.contract.events import StageEvent
from lockgate.contract.requests import Backend, Progress, Resources, numpy_backend
from lockgate.contract.sections import Sections
from lockgate.errors import UsageError, nearest
from lockgate.pipeline.progress import ProgressBar
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params

__all__ = ["STAGES", "Stage", "run_stage"]

STAGES: dict[str, tuple[str, ...]] = {
    "load": ("loader",),
    "optimize": ("backend", "model", "optimizer"),
    "compress": ("backend", "compressor"),
    "evaluate": ("format", "evaluator"),
    "package": ("backend", "format"),
    "monitor": ("backend", "format", "loader", "monitor"),
}
"""Stages in order, and the kinds of plugin that each one calls."""


@dataclass(frozen=True)
class Stage:
    """What a stage works with.

    Attributes
    ----------
    name : str
        Which stage it is.
    root : pathlib.Path
        The project.
    document : Document
        Checked parameters.
    raw : mapping
        The same, as ``params.yaml`` has them.
    host : Host
        With every plugin of the stage's kinds.
    log : logging.Logger
        For the user.
    progress : Progress
        For long loops.

    """

    name: str
    root: Path
    document: Parameters
    raw: dict[str, Any]
    host: Host
    log: logging.Logger
    progress: Progress

    @property
    def sections(self) -> Sections:
        """The host's own settings."""
        return self.document.sections

    @property
    def resources(self) -> Resources:
        """What may be used of the machine."""
        limits = self.sections.resources
        return Resources(limits.threads or _count_idle_cores(), limits.memory_mb)

    def request_context(self) -> dict[str, Any]:
        """What every request carries besides its own fields."""
        return {
            "seed": self.sections.project.seed,
            "log": self.log,
            "progress": self.progress,
            "backend": self.backend(),
            "resources": self.resources,
        }

    def backend(self) -> Backend:
        """Return the chosen array backend, or NumPy in a stage that computes nothing."""
        names = self.host.names("backend")
        return self.host.call("backend", names[0]) if names else numpy_backend()


def _count_idle_cores() -> int:
    """Count the cores that nobody uses, at least one.

    OpenMP's threads wait for each other by spinning: with a neighbour on one of
    their cores, growing trees takes many times as long as on one thread. The
    trees are the same with any number.
    """
    return max(1, len(os.sched_getaffinity(0)) - round(os.getloadavg()[0]))


def run_stage(name: str, root: Path) -> dict[str, float]:
    """Check all parameters, build the stage's plugins, and only then work.

    Returns
    -------
    dict of str to float
        Figures that the stage measured.

    Raises
    ------
    LockgateError
        For whatever is wrong, before or during the work.

    """
    if name not in STAGES:
        raise UsageError(f"no stage {name!r}{nearest(name, STAGES)}; stages: {', '.join(STAGES)}")
    stage = _prepare(name, root)
    project = stage.sections.project.name
    stage.host.notify("before_stage", StageEvent(name, project))
    started = time.perf_counter()
    error: str | None = "interrupted"
    metrics: dict[str, float] = {}
    try:
        metrics = _work(name)(stage)
        error = None
    except Exception as failure:
        error = str(failure)
        raise
    finally:
        seconds = time.perf_counter() - started
        event = StageEvent(name, project, seconds, error, metrics)
        stage.host.notify("after_stage", event)
    return metrics


def _prepare(name: str, root: Path) -> Stage:
    raw = read_params(root / "params.yaml")
    catalogue = Catalogue.installed()
    document = Parameters.check(raw, catalogue)
    document.verify_providers(raw, STAGES[name])
    host = Host(name)
    for kind in STAGES[name]:
        host.plug_chosen(document.chosen[kind])
    host.plug_listeners(catalogue)
    log = logging.getLogger(f"lockgate.{name}")
    return Stage(name, root, document, raw, host, log, ProgressBar(log))


def _work(name: str) -> Callable[[Stage], dict[str, float]]:
    """Import a stage's module only when it is to run."""
    import importlib

    work: Callable[[Stage], dict[str, float]] = importlib.import_module(
        f"lockgate.pipeline.{name}"
    ).work
    return work
