"""Creates a new project: data, configuration, stages, and version control by DVC and Git."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.contract.recipes import UNSUPERVISED
from lockgate.data.io.atomic import replace_directory, write_file
from lockgate.data.io.dvc_settings import find_dvc_repository
from lockgate.data.io.scratch import scratch_folder
from lockgate.errors import UsageError
from lockgate.pipeline.conf_files import quote, read_template, slugify, write_conf
from lockgate.pipeline.data_settings import DataSettings, Declared, inspect_data, inspect_loader
from lockgate.pipeline.dvc_stages import add_stages
from lockgate.pipeline.undo import undone_on_failure
from lockgate.pipeline.version_control import check_not_ignored, init_version_control
from lockgate.plugins.config.choices import CONF

__all__ = ["NewProject", "create_project"]

PROJECT_PATHS = ("params.yaml", "conf")
"""A file and a folder that a project needs to itself."""

EXAMPLE_TARGET = "malignant"
EXAMPLE = DataSettings("csv", {}, {}, "binary")


@dataclass(frozen=True)
class NewProject:
    """A project that was created.

    Attributes
    ----------
    directory : pathlib.Path
        Its directory.
    stages : pathlib.Path
        The ``dvc.yaml`` with its stages.
    conf : pathlib.Path
        The folder of its configuration.
    data : pathlib.Path or None
        Its data file; None where a loader reads something else.
    settings : dict
        Settings of the loader that were detected or set.
    name : str
        Name of the model.
    left_out : list of str
        Features that are left out, since their texts are names or codes.
    texts : dict of str to str
        Features whose words or characters are encoded.
    note : str
        What the user should know about the repository, or an empty text.
    summary : str
        Rows, columns and target of the data; empty for the example.

    """

    directory: Path
    stages: Path
    conf: Path
    data: Path | None
    settings: dict[str, Any]
    name: str
    left_out: list[str]
    texts: dict[str, str]
    note: str = ""
    summary: str = ""


def create_project(
    directory: str | Path,
    *,
    data: str | Path | None = None,
    target: str | Sequence[str] | None = None,
    loader: str | None = None,
    task: str = "auto",
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    kinds: Mapping[str, str] | None = None,
    use_as_time: Callable[[str], bool] = lambda _: True,
) -> NewProject:
    """Create a project that runs without further edits, also inside a Git and DVC repository.

    A ``dvc.yaml`` that exists keeps its stages; those of the project are added.

    Parameters
    ----------
    directory : path-like
        Where; created if it does not exist.
    data : path-like, optional
        CSV or Parquet file, or workbook, to train on, which is copied; by default an example.
    target : str or sequence of str, optional
        Column of `data` to predict, or several columns of numbers; none for a task without a
        target.
    loader : str, optional
        Loader of the rows instead of a file, e.g. ``sql``, with its `settings`; files that it
        reads lie below data/raw of `directory`.
    task : str
        What to predict; ``auto`` is inferred from the target.
    name : str, optional
        Name of the model; by default that of the directory.
    settings : mapping, optional
        Settings of the loader by name, e.g. ``{"time": "signed_up", "dates": "day-first"}``;
        encoding, delimiter and decimal separator are detected.
    kinds : mapping of str to str, optional
        Kinds of columns that should not be inferred.
    use_as_time : callable
        Called with the name of the only column of dates: whether rows are split by it, so that
        the model is tested on later rows; by default they are.

    Raises
    ------
    UsageError
        If there is a project or other parameters already, ``dvc.yaml`` has stages of the
        same name, a ``.gitignore`` hides the data, or arguments contradict each other.
    DataError
        If the data cannot be used.

    """
    directory, data = Path(directory), None if data is None else Path(data)
    _check_arguments(data, loader, target, task)
    existing = [path for path in PROJECT_PATHS if (directory / path).exists()]
    if existing:
        raise UsageError(
            f"{directory} already has {' and '.join(existing)}, which a project needs to itself: "
            "create it in a folder of its own, e.g. lockgate init risk"
        )
    raw = directory / "data" / "raw"
    declared = Declared(
        target=target,
        settings=settings or {},
        kinds=kinds or {},
        task=task,
        use_as_time=use_as_time,
    )
    column: str | Sequence[str] | None = EXAMPLE_TARGET
    content = EXAMPLE
    if data:
        column, content = target, inspect_data(data, declared)
    elif loader:
        column, content = target, inspect_loader(loader, directory, declared)
    elif settings or kinds:
        raise UsageError(
            "settings and kinds (--set, --kind) describe rows: pass data (--data) or a loader"
        )
    data_file = None if loader else raw / (data.name if data else "tumours.csv")
    # what a loader reads is there before
    files = [data_file] if data_file else _entries(raw)
    for file in files:
        check_not_ignored(directory, file)
    if data_file is not None:
        _check_not_replaced(data, data_file)
    stages = directory / "dvc.yaml"
    model_name = slugify(name or directory.resolve().name)
    relative = None if data_file is None else data_file.relative_to(directory)
    with undone_on_failure(directory, _paths(directory, files)):
        raw.mkdir(parents=True, exist_ok=True)
        (raw / ".gitkeep").touch()
        if data_file is not None:
            _copy_data(directory, data, data_file)
        add_stages(stages, _stages(model_name))
        note = init_version_control(directory, [file.relative_to(directory) for file in files])
        # last: a folder with it is a project, and one without is completed by another attempt
        with replace_directory(directory / CONF) as conf:
            write_conf(conf, relative, column, content, model_name)
    return NewProject(
        directory,
        stages,
        directory / "conf",
        data_file,
        content.settings,
        model_name,
        content.left_out,
        content.texts,
        note,
        content.summary,
    )


def _check_arguments(data: Path | None, loader: str | None, target: object, task: str) -> None:
    """Refuse arguments that contradict each other."""
    if data is not None and loader is not None:
        raise UsageError("data is a file, and a loader loads rows by itself: pass one of them")
    if data is None and loader is None:
        if target is not None or task != "auto":
            raise UsageError(
                "target and task are of rows: pass data, a file (lockgate init --data FILE "
                "--target COLUMN), or a loader"
            )
        return
    if task in UNSUPERVISED and target is not None:
        raise UsageError(
            f"task {task} needs no target, and it is {target!r}: leave it out; data.leave_out in "
            "conf/config.yaml keeps a column from the model"
        )
    if task not in UNSUPERVISED and target is None:
        raise UsageError(
            "the column to predict is missing: pass target (--target COLUMN), or a task that needs "
            "none, clustering or anomaly (--task)"
        )


def _entries(raw: Path) -> list[Path]:
    """Return the files and folders of data that are there, without what belongs to DVC and Git."""
    if not raw.is_dir():
        return []
    return sorted(p for p in raw.iterdir() if p.suffix != ".dvc" and not p.name.startswith("."))


def _copy_data(directory: Path, data: Path | None, data_file: Path) -> None:
    """Write the example, or copy the file, to where the project has its data."""
    if data is None:
        write_file(data_file, _example())
    elif data_file.resolve() != data.resolve():
        copy = scratch_folder(directory) / "data"
        shutil.copyfile(data, copy)
        copy.replace(data_file)


def _paths(directory: Path, files: Sequence[Path]) -> list[Path]:
    """Return what is created or changed: the project, and its version control."""
    raw = directory / "data" / "raw"
    names = [".git", ".dvc", ".dvcignore", ".gitignore", ".gitattributes"]
    paths = [directory / name for name in [*names, "dvc.yaml", CONF]]
    paths += [raw.parent, raw, raw / ".gitkeep", raw / ".gitignore", *files]
    paths += [raw / f"{file.name}.dvc" for file in files]
    dvc = find_dvc_repository(directory.resolve())
    return [*paths, dvc / ".dvc" / "config"] if dvc else paths


def _check_not_replaced(data: Path | None, data_file: Path) -> None:
    """Raise if another file would be overwritten by the data."""
    if not data_file.exists() and not data_file.is_symlink():
        return
    if data is None:
        same = data_file.is_file() and data_file.read_text("utf-8", "replace") == _example()
    else:
        same = data_file.resolve() == data.resolve() or _are_equal(data, data_file)
    if not same:
        raise UsageError(
            f"{data_file} exists and would be overwritten: pass it with --data, or move it"
        )


def _are_equal(first: Path, second: Path) -> bool:
    return second.is_file() and filecmp.cmp(first, second, shallow=False)


def _example() -> str:
    """Return the Wisconsin breast cancer data that scikit-learn includes (569 rows), as CSV."""
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame
    frame.columns = [str(column).replace(" ", "_") for column in frame.columns]
    frame["malignant"] = frame.pop("target") == 0
    return str(frame.to_csv(index=False))


def _stages(name: str) -> str:
    """Return the stages of a project, with the name of its model."""
    return read_template("dvc.yaml").replace(
        "artifacts:\n  model:", f"artifacts:\n  {quote(name)}:"
    )
