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
    """Make a new project in DIRECTORY that runs at once, also inside a repository.

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
    place = raw / (file.name if file else "tumours.csv")
    _check_tracked(directory, place)
    made = raw.exists()
    raw.mkdir(parents=True, exist_ok=True)
    (raw / ".gitkeep").touch()
    if file is None:
        _write_example(place)
    elif place.resolve() != file.resolve():
        shutil.copyfile(file, place)
    try:
        _write_files(directory, place.relative_to(directory), column, task, label)
        _version(directory, place.relative_to(directory))
    except BaseException:
        # a second attempt must find nothing half made
        shutil.rmtree(directory / "conf", ignore_errors=True)
        (directory / "dvc.yaml").unlink(missing_ok=True)
        if not made:
            shutil.rmtree(raw, ignore_errors=True)
        raise
    step = "" if directory == Path() else f"cd {directory} && "
    click.echo(f"Made {directory / 'dvc.yaml'}, {directory / 'conf'} and {place}.")
    click.echo(f"Next: {step}lockgate run")
    click.echo("Then: git add -A && git commit -m 'first run'   (experiments start from a commit)")


def _label(text: str) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return label if label[:1].isalpha() else f"data-{label}".strip("-")


def _inspect(data: Path, target: str) -> tuple[Path, str, str]:
    """Read the file once, so that a wrong column is found here and not in a stage."""
    from lockgate.data.io.frames import read_frame
    from lockgate.data.schema import table, task_of

    return data, target, task_of(table(read_frame(data), target=target), "auto")


def _check_tracked(directory: Path, place: Path) -> None:
    """Refuse where a .gitignore hides the data: DVC could not keep its note beside them."""
    from lockgate.errors import UsageError

    above = next((one for one in (directory, *directory.resolve().parents) if one.exists()), None)
    if above is None or not shutil.which("git"):
        return
    for hidden in (place.with_name(place.name + ".dvc"), place.parent):
        words = ["git", "check-ignore", "--quiet", str(hidden.resolve())]
        done = subprocess.run(words, cwd=above, capture_output=True, check=False)
        if done.returncode == 0:
            raise UsageError(
                f"a .gitignore hides {hidden}; take that line out, or make the project elsewhere"
            )


def _write_example(place: Path) -> None:
    """Write the Wisconsin tumours that scikit-learn ships (569 rows)."""
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame
    frame.columns = [str(column).replace(" ", "_") for column in frame.columns]
    frame["malignant"] = frame.pop("target") == 0
    frame.to_csv(place, index=False)


def _write_files(directory: Path, path: Path, target: str, task: str, name: str) -> None:
    regression = task == "regression"
    loader = _label(path.stem)
    texts = importlib.resources.files("lockgate.pipeline").joinpath("templates")
    words = {
        "loader": loader,
        "plugin": "parquet" if path.suffix.lower() == ".parquet" else "csv",
        "model": "linear" if regression else "logistic",
        "evaluator": "regression" if regression else "classification",
        "name": _quoted(name),
        "path": _quoted(path.as_posix()),
        "target": _quoted(target),
    }
    for source, place in (("config.yaml", "config.yaml"), ("loader.yaml", f"loader/{loader}.yaml")):
        text = string.Template(texts.joinpath(source).read_text("utf-8")).substitute(words)
        (directory / "conf" / place).parent.mkdir(parents=True, exist_ok=True)
        (directory / "conf" / place).write_text(text, encoding="utf-8")
    (directory / "conf" / "experiment").mkdir()
    stages = texts.joinpath("dvc.yaml").read_text("utf-8")
    named = stages.replace("artifacts:\n  model:", f"artifacts:\n  {_quoted(name)}:")
    (directory / "dvc.yaml").write_text(named, encoding="utf-8")


def _quoted(text: str) -> str:
    """Write a text for YAML, where JSON's quotes do, and for OmegaConf, which expands ${."""
    return json.dumps(text.replace("${", "\\${"), ensure_ascii=False)


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
    _must([*dvc, "add", data.as_posix()], directory)


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
