"""Runs the pipeline: composes the parameters, writes them, and lets DVC run what changed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lockgate.errors import StageFailed, UsageError
from lockgate.pipeline.experiments import check_composed_by_dvc
from lockgate.pipeline.interrupted import remove_half_written
from lockgate.pipeline.merge_conflicts import conflicts_resolved
from lockgate.pipeline.parameters import Composition, compose, write_composition
from lockgate.pipeline.project import find_project
from lockgate.pipeline.run_lock import lock_run
from lockgate.pipeline.stage import STAGES, VALUES_VARIABLE
from lockgate.pipeline.stage_server import stage_server
from lockgate.pipeline.version_control import check_data_present, check_has_commit
from lockgate.plugins.config.choices import KINDS
from lockgate.plugins.config.flat import UNSET, differences, flatten
from lockgate.plugins.config.forget import exact_overrides
from lockgate.plugins.config.overrides import parse_overrides, split_sweep
from lockgate.plugins.config.stamp import values_digest
from lockgate.suggestions import nearest

__all__ = ["check_stage", "queue_experiment", "run_pipeline", "run_stages"]

STAGE_MODULE = "lockgate.cli.stage_server"
"""Module that the stages are started by."""

HINTS = (
    "Updating lock file",
    "Generating lock file",
    "To track the changes with git",
    "git add",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
    "> lockgate ",
)
"""How DVC's lines begin that say what it does to its own files, or how to use it on its own."""


def run_pipeline(
    *overrides: str,
    root: str | Path = ".",
    keep: bool = False,
    discard: bool = False,
    reset: bool = False,
    force: bool = False,
    until: str | None = None,
    only: str | None = None,
    on_composed: Callable[[Composition], None] = lambda _: None,
    ask_about_edits: Callable[[Composition], bool] | None = None,
    on_resolved: Callable[[str], None] = lambda _: None,
) -> Path:
    """Compose the parameters of a project, write them, and run the stages that they change.

    Parameters
    ----------
    *overrides : str
        As in Hydra, e.g. ``model=boosting``. They are recorded below ``conf/`` once they are
        composed, and hold from then on.
    root : path-like
        The project, or a folder in it.
    keep : bool
        Record manual edits of ``params.yaml`` below ``conf/``.
    discard : bool
        Drop manual edits of ``params.yaml``, which are an error otherwise.
    reset : bool
        Forget the overrides that were recorded before.
    force : bool
        Run every stage, changed or not.
    until : str, optional
        The last stage to run; by default all run.
    only : {"compose", "write"}, optional
        Stop after composing, or after writing ``params.yaml``.
    on_composed : callable
        Called with the composition before it is written.
    ask_about_edits : callable, optional
        Called with a composition that would lose manual edits; returns whether to keep them.
        Without it they are an error.
    on_resolved : callable
        Called with what was done about conflicts of a merge, and files that a kill cut off.

    Returns
    -------
    pathlib.Path
        The project.

    Raises
    ------
    UsageError
        If an override is not valid, the stage is unknown, another run is in progress, or
        edits of ``params.yaml`` would be lost.
    StageFailed
        If a stage failed; its message has been printed.

    """
    check_stage(until)
    if only not in (None, "compose", "write"):
        raise UsageError(f"only is {only!r}; expected 'compose' or 'write'")
    root = find_project(Path(root).absolute())
    if only == "compose":
        on_composed(compose(root, overrides, keep=keep, reset=reset))
        return root
    with lock_run(root) as lock:
        if only is None:
            check_data_present(root)
            remove_half_written(root, on_resolved)
        decided, forgotten = _decided_keys(overrides)
        with conflicts_resolved(
            root, on_resolved, decided, forgotten=forgotten, reset=reset
        ) as edited_sides:
            composition = compose(root, overrides, keep=keep, reset=reset)
            if composition.discarded and not discard:
                if ask_about_edits is None:
                    raise UsageError(
                        f"params.yaml was edited: {_list_edits(composition)}; record the edits "
                        "below conf/ with --keep, or drop them with --discard"
                    )
                if ask_about_edits(composition):
                    composition = compose(root, overrides, keep=True, reset=reset)
            if not discard:
                _check_merged_edits(edited_sides, composition)
            on_composed(composition)
            write_composition(root, composition)
        if only is None:
            values = values_digest(composition.after)
            run_stages(root, force=force, until=until, lock=lock, values=values)
    return root


def check_stage(until: str | None) -> None:
    """Refuse the name of a stage that does not exist."""
    if until is not None and until not in STAGES:
        raise UsageError(
            f"unknown stage {until!r}{nearest(until, STAGES)}; available: {', '.join(STAGES)}"
        )


def _decided_keys(overrides: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return what overrides set, and what they forget, whatever the sides of a merge chose."""
    decided: set[str] = set()
    forgotten: set[str] = set()
    for override in parse_overrides(overrides):
        key = override.key_or_group
        if override.package or not (override.is_add() and key in KINDS):
            keys = forgotten if override.is_delete() else decided
            keys.add(override.package or key)
    return decided, forgotten


def _check_merged_edits(sides: dict[str, dict[str, Any]], composition: Composition) -> None:
    """Raise if a side of a merge edited ``params.yaml`` to what is not composed now."""
    for side, document in sides.items():
        if keys := differences(document, composition.after):
            values = flatten(document)
            edits = _list_values({key: values.get(key, UNSET) for key in keys})
            raise UsageError(
                f"params.yaml of {side} side of the merge was edited, and differs from what is "
                f"composed now: {edits}; choose with `lockgate run --discard KEY=VALUE ...`"
            )


def _list_edits(composition: Composition) -> str:
    return _list_values({key: value for key, (value, _) in composition.discarded.items()})


def _list_values(values: dict[str, Any]) -> str:
    edits = [f"{key}={value!r}" for key, value in values.items()]
    return ", ".join(edits[:5]) + (f" and {len(edits) - 5} more" if len(edits) > 5 else "")


def run_stages(
    root: Path,
    *,
    force: bool = False,
    until: str | None = None,
    lock: int | None = None,
    values: str | None = None,
) -> None:
    """Run ``dvc repro``: the stages whose parameters, data or code changed.

    Parameters
    ----------
    root, force, until
        As for `run_pipeline`.
    lock : int, optional
        Descriptor of a lock that DVC's process shall hold until it ends.
    values : str, optional
        Digest of the parameters; a stage that reads others is refused.

    Raises
    ------
    StageFailed
        If a stage failed; its message has been printed.

    """
    argv = ["repro", *(["--force"] if force else []), *([until] if until else [])]
    expected = {VALUES_VARIABLE: values} if values else {}
    # stages share the time to import pandas and scikit-learn
    with stage_server(STAGE_MODULE) as variables:
        if _run_dvc(root, argv, expected | variables, lock):
            raise StageFailed("a stage failed; its message is above")


def queue_experiment(*overrides: str, root: str | Path = ".") -> Path:
    """Queue a DVC experiment for each combination of overrides, e.g. ``model=linear,boosting``.

    Parameters
    ----------
    *overrides : str
        As in Hydra; commas divide the values of a sweep.
    root : path-like
        The project, or a folder in it.

    Returns
    -------
    pathlib.Path
        The project.

    Raises
    ------
    UsageError
        If a combination cannot be composed, DVC does not compose this project, or it has no
        commit to start from.
    StageFailed
        If DVC cannot queue an experiment; its message has been printed.

    """
    root = find_project(Path(root).absolute())
    check_composed_by_dvc(root)
    if not str(root.resolve()).isascii():
        # its copies of the project cannot name a cache in such a path
        raise UsageError(
            f"DVC cannot run queued experiments in {root.resolve()}: a folder of that path has "
            "letters beyond ASCII; rename it, or use `lockgate run` once for each value"
        )
    combinations = [exact_overrides(root, combination) for combination in split_sweep(overrides)]
    check_has_commit(root)
    for combination in combinations:
        argv = ["exp", "run", "--queue"]
        for override in combination:
            argv += ["-S", override]
        if _run_dvc(root, argv):
            raise StageFailed("DVC did not queue the experiment; its message is above")
    return root


def _run_dvc(
    root: Path,
    argv: list[str],
    variables: dict[str, str] | None = None,
    lock: int | None = None,
) -> int:
    """Run the DVC of this environment; its stages find this environment's lockgate."""
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, **(variables or {})}
    # -P: files of the project with the names of libraries are not imported
    command = [sys.executable, "-P", "-m", "dvc", *argv]
    # DVC exits with 255 if a stage fails; the stage itself has printed why
    with subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        pass_fds=() if lock is None else (lock,),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() and not line.strip().startswith(HINTS):
                sys.stdout.write(line)
                sys.stdout.flush()
    return min(process.returncode, 2)
