"""Git and DVC of a project: its own repositories, or those of a folder above it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lockgate.data.io.dvc_settings import find_dvc_repository, read_dvc_setting
from lockgate.errors import UsageError
from lockgate.pipeline.experiments import HYDRA_HINT
from lockgate.pipeline.versions import read_git
from lockgate.plugins.config.choices import CONF
from lockgate.plugins.config.composed_folder import find_composed_folder
from lockgate.registry.git.commands import git

__all__ = ["check_data_present", "check_has_commit", "check_not_ignored", "init_version_control"]

GITIGNORE_LINE = "/dvc_plots/"
"""What commands leave in a project that is not to be committed."""

ATTRIBUTES_LINE = "dvc.lock -merge"
"""Merged line by line, it would tie the results of one side to the parameters of the other."""

PIPELINE_FILES = ("dvc.yaml", "params.yaml")


def init_version_control(directory: Path, data: Sequence[Path]) -> str:
    """Track a project with Git and DVC, by the repositories that it lies in or by new ones.

    Parameters
    ----------
    directory : pathlib.Path
        The project.
    data : sequence of pathlib.Path
        Files and folders of data, relative to it.

    Returns
    -------
    str
        What the user should know about a repository that is shared, or an empty text.

    """
    folder = directory.resolve()
    top, dvc = _git_top(directory), find_dvc_repository(folder)
    if top is None and dvc is None and shutil.which("git"):
        git(["init", "--quiet"], directory)
        top = folder
    if dvc is None or (top is not None and not dvc.is_relative_to(top)):
        options = [] if top == folder else ["--subdir"] if top else ["--no-scm"]
        _run_dvc(["init", "--quiet", *options], directory)
        dvc = folder
    if data:
        _run_dvc(["add", *(path.as_posix() for path in data)], directory)
    if top is not None:
        _add_line(directory / ".gitignore", GITIGNORE_LINE)
        _add_line(directory / ".gitattributes", ATTRIBUTES_LINE)
    # last, since it changes settings of a repository that others may use
    return _configure_hydra(directory, dvc)


def _add_line(path: Path, line: str) -> None:
    """Add a line to a file of texts in any encoding, unless it has that line."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} must be a file, since Git reads no other: replace it")
    content = path.read_bytes() if path.exists() else b""
    if line.encode() not in content.splitlines():
        end = b"\r\n" if b"\r\n" in content else b"\n"
        missing = b"" if not content or content.endswith(b"\n") else end
        path.write_bytes(content + missing + line.encode() + end)


def _configure_hydra(directory: Path, dvc: Path) -> str:
    """Let DVC compose the project for its experiments, unless that would disturb others.

    DVC composes for a whole repository: `dvc exp run` in any of its folders would write
    this project's parameters there.
    """
    folder = (directory.resolve() / CONF).relative_to(dvc)
    others = _other_pipelines(directory.resolve(), dvc)
    if read_dvc_setting(dvc, "hydra", "enabled") is None and not others:
        _run_dvc(["config", "hydra.enabled", "True"], directory)
        if folder.as_posix() != CONF:
            _run_dvc(["config", "hydra.config_dir", folder.as_posix()], directory)
        return ""
    composed = find_composed_folder(dvc)
    if composed == dvc / folder:
        return ""
    effect = (
        f"{dvc} has other pipelines, so DVC does not compose this project: `dvc exp run` can set "
        "values, not choose plugins; `lockgate run` can do both"
        if composed is None
        else f"DVC composes {composed} in the experiments of {dvc}, so that `dvc exp run` is "
        "refused in this project; use `lockgate run`"
    )
    return f"{effect}. {HYDRA_HINT.format(folder=folder.as_posix())}"


def _other_pipelines(directory: Path, dvc: Path) -> list[Path]:
    """Return files of pipelines in other folders of a DVC repository."""
    patterns = [f":(glob)**/{name}" for name in PIPELINE_FILES]
    listed = read_git(["ls-files", "-co", "--exclude-standard", "-z", "--", *patterns], dvc)
    if listed is None:  # not a Git repository
        paths = [path for name in PIPELINE_FILES for path in dvc.rglob(name)]
    else:
        paths = [dvc / name for name in listed.split("\0") if name]
    return [path for path in paths if path.parent != directory]


def check_has_commit(project: Path) -> None:
    """Raise if the Git repository of a project has no commit, which experiments start from."""
    if _git_top(project) and read_git(["rev-parse", "--verify", "HEAD"], project) is None:
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
    """Raise if a .gitignore hides a file of the project that Git must track."""
    existing_folder = next(
        (folder for folder in (directory, *directory.resolve().parents) if folder.exists()), None
    )
    if existing_folder is None:
        return
    tracked = [directory / name for name in ("dvc.yaml", "dvc.lock", "params.yaml")]
    tracked += [directory / CONF / "config.yaml", data_file.with_name(data_file.name + ".dvc")]
    for path in (*tracked, data_file.parent):
        if read_git(["check-ignore", "--quiet", str(path.resolve())], existing_folder) is not None:
            raise UsageError(
                f"a .gitignore hides {path}: remove that line, or choose another directory"
            )


def _git_top(directory: Path) -> Path | None:
    top = read_git(["rev-parse", "--show-toplevel"], directory)
    return Path(top.strip()).resolve() if top else None


def _run_dvc(arguments: list[str], directory: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-P", "-m", "dvc", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        message = " ".join((completed.stderr or completed.stdout).split())
        raise UsageError(f"`dvc {' '.join(arguments)}` failed: {message}")
