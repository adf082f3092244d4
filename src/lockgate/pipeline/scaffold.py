"""Creates a new project: data, configuration, stages, and version control by DVC and Git."""

from __future__ import annotations

import contextlib
import filecmp
import importlib.resources
import json
import re
import shutil
import string
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.errors import UsageError
from lockgate.pipeline.data_settings import DataSettings, inspect_data
from lockgate.pipeline.dvc_stages import add_stages
from lockgate.pipeline.version_control import check_not_ignored, init_version_control
from lockgate.plugins.config.choices import CHOICES, CONF, Choices, choices_text
from lockgate.plugins.host.catalogue import Catalogue

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
    data : pathlib.Path
        Its data file.
    settings : dict
        Settings of the loader that were detected or set.
    name : str
        Name of the model.
    left_out : list of str
        Features that are left out, since their texts cannot be encoded.
    note : str
        What the user should know about the repository, or an empty text.

    """

    directory: Path
    stages: Path
    conf: Path
    data: Path
    settings: dict[str, Any]
    name: str
    left_out: list[str]
    note: str = ""


def create_project(
    directory: Path,
    *,
    data: Path | None = None,
    target: str | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> NewProject:
    """Create a project that runs without further edits, also inside a Git and DVC repository.

    A ``dvc.yaml`` that exists keeps its stages; those of the project are added.

    Parameters
    ----------
    directory : pathlib.Path
        Where; created if it does not exist.
    data : pathlib.Path, optional
        CSV or Parquet file to train on, which is copied; by default an example.
    target : str, optional
        Column of `data` to predict.
    name : str, optional
        Name of the model; by default that of the directory.
    settings : mapping, optional
        Settings of the loader by name, e.g. ``{"time": "signed_up", "dates": "day-first"}``;
        encoding, delimiter and decimal separator are detected.
    kinds : mapping of str to str, optional
        Kinds of columns that should not be inferred.

    Raises
    ------
    UsageError
        If there is a project or other parameters already, ``dvc.yaml`` has stages of the
        same name, a ``.gitignore`` hides the data, or only one of `data` and `target` is
        passed.
    DataError
        If the data cannot be used.

    """
    if (data is None) != (target is None):
        raise UsageError("--data and --target go together: pass a file and its target column")
    existing = [path for path in PROJECT_PATHS if (directory / path).exists()]
    if existing:
        raise UsageError(
            f"{directory} already has {' and '.join(existing)}, which a project needs to itself: "
            "create it in a folder of its own, e.g. lockgate init risk"
        )
    raw = directory / "data" / "raw"
    column, content = EXAMPLE_TARGET, EXAMPLE
    if data and target:
        column, content = target, inspect_data(data, target, settings or {}, kinds or {})
    elif settings or kinds:
        raise UsageError("--set and --kind describe a file: pass --data and --target as well")
    data_file = raw / (data.name if data else "tumours.csv")
    check_not_ignored(directory, data_file)
    _check_not_replaced(data, data_file)
    stages = directory / "dvc.yaml"
    model_name = _slugify(name or directory.resolve().name)
    relative = data_file.relative_to(directory)
    with _undone_on_failure(directory, data_file):
        raw.mkdir(parents=True, exist_ok=True)
        (raw / ".gitkeep").touch()
        if data is None:
            _write_example(data_file)
        elif data_file.resolve() != data.resolve():
            shutil.copyfile(data, data_file)
        _write_files(directory, relative, column, content, model_name)
        note = init_version_control(directory, relative)
    return NewProject(
        directory,
        stages,
        directory / "conf",
        data_file,
        content.settings,
        model_name,
        content.left_out,
        note,
    )


def _check_not_replaced(data: Path | None, data_file: Path) -> None:
    """Raise if another file would be overwritten by the data."""
    if not data_file.exists() and not data_file.is_symlink():
        return
    if data is None or (data_file.resolve() != data.resolve() and not _are_equal(data, data_file)):
        raise UsageError(
            f"{data_file} exists and would be overwritten: pass it with --data, or move it"
        )


def _are_equal(first: Path, second: Path) -> bool:
    return second.is_file() and filecmp.cmp(first, second, shallow=False)


@contextlib.contextmanager
def _undone_on_failure(directory: Path, data_file: Path) -> Iterator[None]:
    """Leave the folder as it was if the block fails, for a second attempt."""
    stages, raw = directory / "dvc.yaml", data_file.parent
    stages_before = stages.read_bytes() if stages.exists() else None
    paths = [directory / CONF, raw.parent, raw, raw / ".gitkeep", data_file]
    paths += [raw / f"{data_file.name}.dvc"]
    new = [path for path in paths if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        (directory / CONF).mkdir()  # of two that start at once, one fails here
    except FileExistsError:
        raise UsageError(
            f"{directory} already has {CONF}, which a project needs to itself"
        ) from None
    try:
        yield
    except BaseException:
        if stages_before is None:
            stages.unlink(missing_ok=True)
        else:
            stages.write_bytes(stages_before)
        for path in new:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


def _slugify(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return slug if slug[:1].isalpha() else f"data-{slug}".strip("-")


def _write_example(path: Path) -> None:
    """Write the Wisconsin breast cancer data that scikit-learn includes (569 rows)."""
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame
    frame.columns = [str(column).replace(" ", "_") for column in frame.columns]
    frame["malignant"] = frame.pop("target") == 0
    frame.to_csv(path, index=False)


def _write_files(
    directory: Path, path: Path, target: str, content: DataSettings, name: str
) -> None:
    regression = content.task == "regression"
    loader = _slugify(path.stem)
    if loader in Catalogue.installed().names("loader"):
        loader += "-data"  # a file that includes the plugin of its own name would include itself
    templates = importlib.resources.files(__package__).joinpath("templates")
    variables = {
        "loader": loader,
        "plugin": content.plugin,
        "model": "linear" if regression else "logistic",
        "evaluator": "regression" if regression else "classification",
        "name": _quote(name),
        "path": _quote(path.as_posix()),
        "target": _quote(target),
        "settings": "".join(
            f"{key}: {_quote_value(value)}\n" for key, value in content.settings.items()
        ),
        "data": _data_section(content),
    }
    for template, output in (
        ("config.yaml", "config.yaml"),
        ("loader.yaml", f"loader/{loader}.yaml"),
    ):
        text = string.Template(templates.joinpath(template).read_text("utf-8")).substitute(
            variables
        )
        (directory / "conf" / output).parent.mkdir(parents=True, exist_ok=True)
        (directory / "conf" / output).write_text(text, encoding="utf-8")
    (directory / "conf" / "experiment").mkdir()
    (directory / CHOICES).parent.mkdir()
    (directory / CHOICES).write_text(choices_text(Choices()), encoding="utf-8")
    stages = templates.joinpath("dvc.yaml").read_text("utf-8")
    dvc_yaml = stages.replace("artifacts:\n  model:", f"artifacts:\n  {_quote(name)}:")
    add_stages(directory / "dvc.yaml", dvc_yaml)


def _data_section(content: DataSettings) -> str:
    lines = []
    if content.kinds:
        lines += ["  kinds:"]
        lines += [f"    {_quote(column)}: {kind}" for column, kind in content.kinds.items()]
    if content.left_out:
        lines += ["  # texts with many different values: declare their kind to use them"]
        lines += [f"  leave_out: {_quote_value(content.left_out)}"]
    return "\n".join(["\ndata:", *lines, ""]) if lines else ""


def _quote_value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_quote_value, value)) + "]"
    return _quote(value) if isinstance(value, str) else json.dumps(value)


def _quote(text: str) -> str:
    """Quote a text for YAML, which takes JSON strings, and for OmegaConf, which expands ${."""
    return json.dumps(text.replace("${", "\\${"), ensure_ascii=False)
