"""Experiments of DVC: which configuration they are composed from."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.data.io.dvc_settings import find_dvc_repository
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CONF
from lockgate.plugins.config.composed_folder import find_composed_folder
from lockgate.plugins.config.stamp import read_stamp

__all__ = [
    "HYDRA_HINT",
    "check_composed_by_dvc",
    "check_experiment",
    "is_composed_experiment",
]

EXPERIMENT_VARIABLE = "DVC_EXP_NAME"
"""Set by DVC for the stages of an experiment."""

HYDRA_HINT = (
    "`dvc config hydra.enabled true` and `dvc config hydra.config_dir {folder}` change that, "
    "for all pipelines of the repository"
)


def is_composed_experiment(project: Path) -> bool:
    """Return whether DVC runs an experiment whose parameters it composed itself."""
    return EXPERIMENT_VARIABLE in os.environ and read_stamp(project / "params.yaml") is None


def check_experiment(project: Path) -> None:
    """Raise if DVC runs an experiment that it composed from another folder than ``conf/``.

    Raises
    ------
    UsageError
        With the folder that it composes.

    """
    if is_composed_experiment(project):
        check_composed_by_dvc(project)


def check_composed_by_dvc(project: Path) -> None:
    """Check that DVC composes a project's own ``conf/`` in experiments.

    Raises
    ------
    UsageError
        If DVC composes another folder, or none.

    """
    dvc = find_dvc_repository(project.resolve())
    if dvc is None:
        return
    folder, expected = find_composed_folder(dvc), project.resolve() / CONF
    if folder != expected:
        actual = "nothing" if folder is None else str(folder)
        raise UsageError(
            f"DVC composes {actual} in the experiments of {dvc}, expected {expected}; choose "
            f"with `lockgate run`; {HYDRA_HINT.format(folder=expected.relative_to(dvc))}"
        )
