"""Git and DVC of a project: its own repositories, or those of a folder above it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lockgate.data.io.dvc_settings import find_dvc_repository, read_dvc_setting
from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CONF
from lockgate.plugins.config.stamp import read_stamp

__all__ = [
    "check_composed_by_dvc",
    "check_data_present",
    "check_experiment",
    "check_has_commit",
    "check_not_ignored",
    "init_version_control",
]

_DVC = [sys.executable, "-m", "dvc"]

EXPERIMENT_VARIABLE = "DVC_EXP_NAME"
"""Set by DVC for the stages of an experiment."""

IGNORED = "/dvc_plots/"
"""What commands leave in a project that is not to be committed."""

EXPERIMENTS = (
    "`dvc config hydra.enabled true` and `dvc config hydra.config_dir {folder}` change that, "
    "for all pipelines of the repository"
)


def init_version_control(directory: Path, data: Path) -> str:
    """Track a project with Git and DVC, by the repositories that it lies in or by new ones.

    Parameters
    ----------
    directory : pathlib.Path
        The project.
    data : pathlib.Path
        The data file, relative to it.

    Returns
    -------
    str
        What the user should know about a repository that is shared, or an empty text.

    """
    git = _git_top(directory)
    dvc = find_dvc_repository(directory.resolve()) if git else None
    if git is None and shutil.which("git"):
        _run_checked(["git", "init", "--quiet"], directory)
        git = directory.resolve()
    if dvc is None or not git or not dvc.is_relative_to(git):
        options = [] if git == directory.resolve() else ["--subdir"] if git else ["--no-scm"]
        _run_checked([*_DVC, "init", "--quiet", *options], directory)
        dvc = directory.resolve()
    _run_checked([*_DVC, "add", data.as_posix()], directory)
    if git:
        _add_line(directory / ".gitignore", IGNORED)
    # last, since it changes settings of a repository that others may use
    return _configure_hydra(directory, dvc)


def _add_line(path: Path, line: str) -> None:
    """Add a line to a file of texts, unless it has that line."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if line not in text.splitlines():
        end = "" if not text or text.endswith("\n") else "\n"
        path.write_text(f"{text}{end}{line}\n", encoding="utf-8")


def _configure_hydra(directory: Path, dvc: Path) -> str:
    """Let DVC compose the project for its experiments, unless that would disturb others.

    DVC composes for a whole repository: `dvc exp run` in any of its folders would write
    this project's parameters there.
    """
    folder = (directory.resolve() / CONF).relative_to(dvc)
    others = _other_pipelines(directory.resolve(), dvc)
    if read_dvc_setting(dvc, "hydra", "enabled") is None and not others:
        for key, value in (
            ("enabled", "True"),
            ("config_dir", folder.as_posix()),
            ("config_name", "config"),
        ):
            _run_checked([*_DVC, "config", f"hydra.{key}", value], directory)
        return ""
    if _composed_folder(dvc) == dvc / folder:
        return ""
    return (
        f"{dvc} has other pipelines or its own Hydra settings, so DVC does not compose this "
        "project: `dvc exp run` can set values, not choose plugins; `lockgate run` can do both. "
        + EXPERIMENTS.format(folder=folder.as_posix())
    )


def _other_pipelines(directory: Path, dvc: Path) -> list[str]:
    """Return files of pipelines in other folders of a DVC repository."""
    argv = ["git", "ls-files", "-co", "--exclude-standard", "--full-name", "-z", "--"]
    patterns = ["*dvc.yaml", "*params.yaml"]
    listed = _try_run([*argv, *patterns], dvc) or ""
    top = _git_top(dvc)
    return [
        name
        for name in listed.split("\0")
        if name
        and top is not None
        and (top / name).parent != directory
        and Path(name).name in ("dvc.yaml", "params.yaml")
    ]


def _composed_folder(dvc: Path) -> Path | None:
    """Return the folder that DVC composes in its experiments; None if it composes nothing."""
    enabled = read_dvc_setting(dvc, "hydra", "enabled")
    if enabled is None or enabled[0].lower() != "true":
        return None
    folder = read_dvc_setting(dvc, "hydra", "config_dir")
    return (dvc / (folder[0] if folder else CONF)).resolve()


def check_experiment(project: Path) -> bool:
    """Return whether DVC runs an experiment whose parameters it composed itself.

    Raises
    ------
    UsageError
        If it composed them from another folder than the project's ``conf/``.

    """
    if EXPERIMENT_VARIABLE not in os.environ or read_stamp(project / "params.yaml"):
        return False
    check_composed_by_dvc(project)
    return True


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
    folder, expected = _composed_folder(dvc), project.resolve() / CONF
    if folder != expected:
        actual = "nothing" if folder is None else str(folder)
        raise UsageError(
            f"DVC composes {actual} in the experiments of {dvc}, expected {expected}; choose "
            f"with `lockgate run`; {EXPERIMENTS.format(folder=expected.relative_to(dvc))}"
        )


def check_has_commit(project: Path) -> None:
    """Raise if the Git repository of a project has no commit, which experiments start from."""
    if _git_top(project) and _try_run(["git", "rev-parse", "--verify", "HEAD"], project) is None:
        raise UsageError(
            "an experiment starts from a commit, and there is none: "
            "git add -A && git commit -m 'first run'"
        )


def check_data_present(project: Path) -> None:
    """Raise if data that DVC tracks are not here, as in a new clone, before any stage runs."""
    for file in sorted((project / "data" / "raw").rglob("*.dvc")):
        path = file.with_suffix("")
        if not path.exists():
            name = path.relative_to(project)
            raise UsageError(
                f"{name} is not here: get it with `dvc pull`, if it was shared with `dvc push`, or "
                f"copy it there from where it is (its digest is in {file.relative_to(project)})"
            )


def check_not_ignored(directory: Path, data_file: Path) -> None:
    """Raise if a .gitignore hides the data: their .dvc file must be tracked by Git."""
    existing_folder = next(
        (folder for folder in (directory, *directory.resolve().parents) if folder.exists()), None
    )
    if existing_folder is None or not shutil.which("git"):
        return
    for path in (data_file.with_name(data_file.name + ".dvc"), data_file.parent):
        argv = ["git", "check-ignore", "--quiet", str(path.resolve())]
        completed = subprocess.run(argv, cwd=existing_folder, capture_output=True, check=False)
        if completed.returncode == 0:
            raise UsageError(
                f"a .gitignore hides {path}: remove that line, or choose another directory"
            )


def _git_top(directory: Path) -> Path | None:
    top = _try_run(["git", "rev-parse", "--show-toplevel"], directory)
    return Path(top.strip()).resolve() if top else None


def _try_run(argv: list[str], directory: Path) -> str | None:
    try:
        completed = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return completed.stdout if completed.returncode == 0 else None


def _run_checked(argv: list[str], directory: Path) -> None:
    completed = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    if completed.returncode:
        command_text = " ".join(argv[argv.index("-m") + 1 :] if "-m" in argv else argv)
        raise UsageError(
            f"`{command_text}` failed: {' '.join((completed.stderr or completed.stdout).split())}"
        )
