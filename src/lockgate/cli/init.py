"""``lockgate init``."""

from __future__ import annotations

import importlib.resources
import json
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

__all__ = ["command"]

OURS = ("dvc.yaml", "params.yaml", "conf")


@click.command("init")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your CSV or Parquet file; without it, an example of real tumours.",
)
@click.option("--target", help="The column of --data to predict.")
@click.option("--name", help="Name of the model; by default that of the directory.")
def command(directory: Path, data: Path | None, target: str | None, name: str | None) -> None:
    r"""Make a new project in DIRECTORY that runs at once, also inside a repository.

    \b
    lockgate init shop
    lockgate init churn --data churn.csv --target churned
    cd churn && lockgate run
    """
    from lockgate.errors import UsageError

    if (data is None) != (target is None):
        raise UsageError("--data and --target go together: which file, and which column of it")
    there = [one for one in OURS if (directory / one).exists()]
    if there:
        raise UsageError(f"{directory} has {', '.join(there)} already; init makes new projects")
    raw = directory / "data" / "raw"
    label = _label(name or directory.resolve().name)
    file, column, task = (
        _inspect(data, target) if data and target else (None, "malignant", "binary")
    )
    raw.mkdir(parents=True, exist_ok=True)
    (raw / ".gitkeep").touch()
    place = raw / (file.name if file else "tumours.csv")
    if file is None:
        _write_example(place)
    elif place.resolve() != file.resolve():
        shutil.copyfile(file, place)
    _write_files(directory, place.relative_to(directory), column, task, label)
    _version(directory, place.relative_to(directory))
    step = "" if directory == Path() else f"cd {directory} && "
    click.echo(f"Made {directory / 'dvc.yaml'}, {directory / 'conf'} and {place}.")
    click.echo(f"Next: {step}lockgate run")


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"


def _inspect(data: Path, target: str) -> tuple[Path, str, str]:
    """Read the file once, so that a wrong column is found here and not in a stage."""
    import pandas as pd

    from lockgate.errors import DataError
    from lockgate.tables.infer import table, task_of

    reads: dict[str, Any] = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
    if data.suffix not in reads:
        raise DataError(f"{data} ends in {data.suffix!r}; expected .csv or .parquet")
    try:
        frame = reads[data.suffix](data)
    except (ValueError, OSError) as error:
        raise DataError(f"{data} cannot be read: {' '.join(str(error).split())}") from None
    return data, target, task_of(table(frame, target=target), "auto")


def _write_example(place: Path) -> None:
    """Write the Wisconsin tumours that scikit-learn ships (569 rows)."""
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame
    frame.columns = [str(column).replace(" ", "_") for column in frame.columns]
    frame["malignant"] = frame.pop("target") == 0
    frame.to_csv(place, index=False)


def _write_files(directory: Path, path: Path, target: str, task: str, name: str) -> None:
    regression = task == "regression"
    texts = importlib.resources.files(__package__).joinpath("project")
    config = string.Template(texts.joinpath("config.yaml").read_text("utf-8")).substitute(
        loader="parquet" if path.suffix == ".parquet" else "csv",
        model="linear" if regression else "logistic",
        evaluator="regression" if regression else "classification",
        name=name,
        path=path.as_posix(),
        # JSON's texts are YAML's double-quoted ones
        target=json.dumps(target),
    )
    (directory / "conf" / "experiment").mkdir(parents=True)
    (directory / "conf" / "config.yaml").write_text(config, encoding="utf-8")
    (directory / "dvc.yaml").write_bytes(texts.joinpath("dvc.yaml").read_bytes())


def _version(directory: Path, data: Path) -> None:
    """Put the project under DVC, and under Git where there is none yet."""
    inside = _quiet(["git", "rev-parse", "--show-toplevel"], directory)
    if inside is None and shutil.which("git"):
        _must(["git", "init", "--quiet"], directory)
        inside = str(directory.resolve())
    dvc = [sys.executable, "-m", "dvc"]
    if inside is None:
        how = ["--no-scm"]
    else:
        how = [] if Path(inside).resolve() == directory.resolve() else ["--subdir"]
    if not (directory / ".dvc").exists():
        _must([*dvc, "init", "--quiet", *how], directory)
    for key, value in (("enabled", "True"), ("config_dir", "conf"), ("config_name", "config")):
        _must([*dvc, "config", f"hydra.{key}", value], directory)
    _must([*dvc, "add", "--quiet", data.as_posix()], directory)


def _quiet(words: list[str], directory: Path) -> str | None:
    try:
        done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _must(words: list[str], directory: Path) -> None:
    from lockgate.errors import UsageError

    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(words[words.index("-m") + 1 :] if "-m" in words else words)
        raise UsageError(f"`{shown}` failed: {' '.join((done.stderr or done.stdout).split())}")
