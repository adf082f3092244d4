"""Runs the pipeline: composes the parameters, writes them, and lets DVC run what changed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

from lockgate.errors import UsageError, nearest
from lockgate.pipeline.parameters import Composition, compose, write_composition
from lockgate.pipeline.stage import STAGES
from lockgate.pipeline.stage_server import stage_server

__all__ = ["queue_experiment", "run_pipeline", "run_stages"]


def run_pipeline(
    root: Path,
    overrides: Sequence[str] = (),
    *,
    keep: bool = False,
    force: bool = False,
    until: str | None = None,
    only: str | None = None,
    stage_module: str | None = None,
    on_composed: Callable[[Composition], None] = lambda _: None,
) -> int:
    """Compose the parameters of a project, write them, and run the stages that they change.

    Parameters
    ----------
    root, overrides, keep
        As for `compose`.
    force : bool
        Run every stage, changed or not.
    until : str, optional
        The last stage to run; by default all run.
    only : {"compose", "write"}, optional
        Stop after composing, or after writing ``params.yaml``.
    stage_module : str, optional
        As for `run_stages`.
    on_composed : callable
        Called with the composition before it is written.

    Returns
    -------
    int
        0, or 2 if a stage failed.

    Raises
    ------
    UsageError
        If an override is not valid, or the stage is unknown.

    """
    if until is not None and until not in STAGES:
        raise UsageError(
            f"unknown stage {until!r}{nearest(until, STAGES)}; available: {', '.join(STAGES)}"
        )
    composition = compose(root, overrides, keep=keep)
    on_composed(composition)
    if only == "compose":
        return 0
    write_composition(root, composition)
    if only == "write":
        return 0
    return run_stages(root, force=force, until=until, stage_module=stage_module)


def run_stages(
    root: Path, *, force: bool = False, until: str | None = None, stage_module: str | None = None
) -> int:
    """Run ``dvc repro``: the stages whose parameters, data or code changed.

    Parameters
    ----------
    root, force, until
        As for `run_pipeline`.
    stage_module : str, optional
        Module that starts a stage server, so that stages share the time to import
        pandas and scikit-learn; by default each stage imports them itself.

    """
    argv = ["repro", *(["--force"] if force else []), *([until] if until else [])]
    if stage_module is None:
        return _run_dvc(root, argv)
    with stage_server(stage_module) as variables:
        return _run_dvc(root, argv, variables)


def queue_experiment(root: Path, overrides: Sequence[str] = ()) -> int:
    """Queue a DVC experiment for each combination of overrides, e.g. ``model=linear,boosting``."""
    argv = ["exp", "run", "--queue"]
    for override in overrides:
        argv += ["-S", override]
    return _run_dvc(root, argv)


def _run_dvc(root: Path, argv: list[str], variables: dict[str, str] | None = None) -> int:
    """Run the DVC of this environment; its stages find this environment's lockgate."""
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, **(variables or {})}
    command = [sys.executable, "-m", "dvc", *argv]
    # DVC exits with 255 if a stage fails; the stage itself has printed why
    return min(subprocess.run(command, cwd=root, env=environment, check=False).returncode, 2)
