"""The context that all stages share: checked parameters, plugins, events, and timing."""

from __future__ import annotations

import importlib
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
from lockgate.errors import UsageError
from lockgate.pipeline.experiments import check_experiment
from lockgate.pipeline.inputs import unchanged_inputs
from lockgate.pipeline.progress import ProgressBar
from lockgate.plugins.config.stamp import values_digest
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.params_file import read_params
from lockgate.suggestions import nearest

__all__ = ["STAGES", "VALUES_VARIABLE", "Stage", "import_stage", "prepare_stage", "run_stage"]

STAGES: dict[str, tuple[str, ...]] = {
    "load": ("loader",),
    "optimize": ("backend", "model", "optimizer"),
    "compress": ("backend", "compressor", "format"),
    "evaluate": ("format", "evaluator", "gate"),
    "package": ("backend", "format"),
    "monitor": ("backend", "format", "loader", "monitor"),
}
"""The stages in order, each with the kinds of plugins that it calls."""

VALUES_VARIABLE = "LOCKGATE_VALUES"
"""Variable with the digest of the parameters that `lockgate run` wrote."""


@dataclass(frozen=True)
class Stage:
    """The context in which a stage runs.

    Attributes
    ----------
    name : str
        Name of the stage.
    root : pathlib.Path
        Folder of the project.
    parameters : Parameters
        The checked parameters.
    raw : mapping
        The same parameters as plain data, as read from ``params.yaml``.
    host : Host
        Holds the chosen plugins of the kinds that the stage calls.
    log : logging.Logger
        Logger for messages to the user.
    progress : Progress
        Progress display for long loops.

    """

    name: str
    root: Path
    parameters: Parameters
    raw: dict[str, Any]
    host: Host
    log: logging.Logger
    progress: Progress

    @property
    def sections(self) -> Sections:
        """Settings of the host, by section."""
        return self.parameters.sections

    @property
    def resources(self) -> Resources:
        """Threads and memory that plugins may use."""
        limits = self.sections.resources
        return Resources(limits.threads or _count_idle_cores(), limits.memory_mb)

    def request_context(self) -> dict[str, Any]:
        """Return the fields that all requests have in common."""
        return {
            "seed": self.sections.project.seed,
            "log": self.log,
            "progress": self.progress,
            "backend": self.backend(),
            "resources": self.resources,
        }

    def backend(self) -> Backend:
        """Return the chosen array backend, or NumPy in a stage that calls no backend."""
        names = self.host.names("backend")
        return self.host.call("backend", names[0]) if names else numpy_backend()


def _count_idle_cores() -> int:
    """Count the cores that are idle now, at least one.

    OpenMP threads wait for each other by spinning: where another process uses one of
    their cores, growing trees takes many times as long as on a single thread. The
    trees are the same with any number of threads.
    """
    return max(1, len(os.sched_getaffinity(0)) - round(os.getloadavg()[0]))


def run_stage(name: str, root: Path) -> dict[str, float]:
    """Check all parameters, build the plugins of a stage, and run it.

    Parameters
    ----------
    name : str
        One of `STAGES`.
    root : pathlib.Path
        Folder of the project.

    Returns
    -------
    dict of str to float
        Metrics of the stage, by name.

    Raises
    ------
    LockgateError
        If the parameters are not valid, or the stage fails.

    """
    if name not in STAGES:
        raise UsageError(
            f"unknown stage {name!r}{nearest(name, STAGES)}; stages: {', '.join(STAGES)}"
        )
    with unchanged_inputs(root, name):
        return _run(prepare_stage(name, root))


def _run(stage: Stage) -> dict[str, float]:
    name, project = stage.name, stage.sections.project.name
    stage.host.notify("before_stage", StageEvent(name, project))
    started = time.perf_counter()
    # stays so where KeyboardInterrupt or SystemExit ends the stage: neither is an Exception
    error: str | None = "interrupted"
    metrics: dict[str, float] = {}
    try:
        metrics = import_stage(name)(stage)
        error = None
    except Exception as failure:
        error = str(failure)
        raise
    finally:
        seconds = time.perf_counter() - started
        event = StageEvent(name, project, seconds, error, metrics)
        stage.host.notify("after_stage", event)
    return metrics


def prepare_stage(name: str, root: Path) -> Stage:
    """Check all parameters of a project, and build the plugins of a stage."""
    raw = read_params(root / "params.yaml")
    check_experiment(root)
    expected = os.environ.get(VALUES_VARIABLE)
    if expected is not None and values_digest(raw) != expected:
        raise UsageError(
            "params.yaml was changed while `lockgate run` was in progress, e.g. by `dvc exp run` "
            "or an editor; run it again"
        )
    catalogue = Catalogue.installed()
    parameters = Parameters.check(raw, catalogue)
    parameters.verify_providers(raw, STAGES[name])
    host = Host(name)
    for kind in STAGES[name]:
        host.register_choices(parameters.chosen[kind])
    host.register_listeners(catalogue)
    log = logging.getLogger(f"lockgate.{name}")
    return Stage(name, root, parameters, raw, host, log, ProgressBar(log))


def import_stage(name: str) -> Callable[[Stage], dict[str, float]]:
    """Import the module of a stage, which loads the libraries it needs; return its function."""
    work: Callable[[Stage], dict[str, float]] = importlib.import_module(
        f"lockgate.pipeline.{name}"
    ).work
    return work
