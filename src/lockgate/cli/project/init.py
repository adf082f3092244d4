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

PROJECT_PATHS = ("dvc.yaml", "params.yaml", "conf")


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
    existing = [path for path in PROJECT_PATHS if (directory / path).exists()]
    if existing:
        raise UsageError(f"{directory} has {', '.join(existing)} already; init makes new projects")
    raw = directory / "data" / "raw"
    slug = _slugify(name or directory.resolve().name)
    file, column, task = (
        _inspect(data, target) if data and target else (None, "malignant", "binary")
    )
    data_file = raw / (file.name if file else "tumours.csv")
    _check_tracked(directory, data_file)
    raw_existed = raw.exists()
    raw.mkdir(parents=True, exist_ok=True)
    (raw / ".gitkeep").touch()
    if file is None:
        _write_example(data_file)
    elif data_file.resolve() != file.resolve():
        shutil.copyfile(file, data_file)
    try:
        _write_files(directory, data_file.relative_to(directory), column, task, slug)
        _init_version_control(directory, data_file.relative_to(directory))
    except BaseException:
        # a second attempt must find nothing half made
        shutil.rmtree(directory / "conf", ignore_errors=True)
        (directory / "dvc.yaml").unlink(missing_ok=True)
        if not raw_existed:
            shutil.rmtree(raw, ignore_errors=True)
        raise
    cd_prefix = "" if directory == Path() else f"cd {directory} && "
    click.echo(f"Made {directory / 'dvc.yaml'}, {directory / 'conf'} and {data_file}.")
    click.echo(f"Next: {cd_prefix}lockgate run")
    click.echo("Then: git add -A && git commit -m 'first run'   (experiments start from a commit)")


def _slugify(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return slug if slug[:1].isalpha() else f"data-{slug}".strip("-")


def _inspect(data: Path, target: str) -> tuple[Path, str, str]:
    """Read the file once, so that a wrong column is found here and not in a stage."""
    from lockgate.data.io.frames import read_frame
    from lockgate.data.schema import infer_task, table

    return data, target, infer_task(table(read_frame(data), target=target), "auto")


def _check_tracked(directory: Path, data_file: Path) -> None:
    """Refuse where a .gitignore hides the data: DVC could not keep its note beside them."""
    from lockgate.errors import UsageError

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
                f"a .gitignore hides {path}; take that line out, or make the project elsewhere"
            )


def _write_example(path: Path) -> None:
    """Write the Wisconsin tumours that scikit-learn ships (569 rows)."""
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame
    frame.columns = [str(column).replace(" ", "_") for column in frame.columns]
    frame["malignant"] = frame.pop("target") == 0
    frame.to_csv(path, index=False)


def _write_files(directory: Path, path: Path, target: str, task: str, name: str) -> None:
    regression = task == "regression"
    loader = _slugify(path.stem)
    templates = importlib.resources.files("lockgate.pipeline").joinpath("templates")
    variables = {
        "loader": loader,
        "plugin": "parquet" if path.suffix.lower() == ".parquet" else "csv",
        "model": "linear" if regression else "logistic",
        "evaluator": "regression" if regression else "classification",
        "name": _quote(name),
        "path": _quote(path.as_posix()),
        "target": _quote(target),
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
    stages = templates.joinpath("dvc.yaml").read_text("utf-8")
    dvc_yaml = stages.replace("artifacts:\n  model:", f"artifacts:\n  {_quote(name)}:")
    (directory / "dvc.yaml").write_text(dvc_yaml, encoding="utf-8")


def _quote(text: str) -> str:
    """Write a text for YAML, where JSON's quotes do, and for OmegaConf, which expands ${."""
    return json.dumps(text.replace("${", "\\${"), ensure_ascii=False)


def _init_version_control(directory: Path, data: Path) -> None:
    """Put the project under DVC, and under Git where there is none yet."""
    repository = _try_run(["git", "rev-parse", "--show-toplevel"], directory)
    if repository is None and shutil.which("git"):
        _run_checked(["git", "init", "--quiet"], directory)
        repository = str(directory.resolve())
    dvc = [sys.executable, "-m", "dvc"]
    if repository is None:
        options = ["--no-scm"]
    else:
        options = [] if Path(repository).resolve() == directory.resolve() else ["--subdir"]
    if not (directory / ".dvc").exists():
        _run_checked([*dvc, "init", "--quiet", *options], directory)
    for key, value in (("enabled", "True"), ("config_dir", "conf"), ("config_name", "config")):
        _run_checked([*dvc, "config", f"hydra.{key}", value], directory)
    _run_checked([*dvc, "add", data.as_posix()], directory)


def _try_run(argv: list[str], directory: Path) -> str | None:
    try:
        completed = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return completed.stdout.strip() if completed.returncode == 0 else None


def _run_checked(argv: list[str], directory: Path) -> None:
    from lockgate.errors import UsageError

    completed = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    if completed.returncode:
        command_text = " ".join(argv[argv.index("-m") + 1 :] if "-m" in argv else argv)
        raise UsageError(
            f"`{command_text}` failed: {' '.join((completed.stderr or completed.stdout).split())}"
        )
