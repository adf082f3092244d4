"""Commands run nothing that lies in the folder they are called in."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import click
import pytest
from tests.conftest import ROOT, environment

from lockgate.cli.commands import lockgate as command_line

MODULES = ("pluggy", "numpy", "dvc", "hydra", "yaml", "msgspec", "click", "sitecustomize", "json")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
        elif command is not None:
            found.append((*path, name))
    return found


HIDDEN = [("stage",), ("check",)]
COMMANDS = sorted({*commands(command_line), *HIDDEN})


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """A copy of a project, full of modules, packages and plugins that say when they run."""
    root = tmp_path_factory.mktemp("hostile") / "project"
    subprocess.run(["cp", "-r", str(made), str(root)], check=True)
    code = f"open({str(root.parent / 'ran')!r}, 'a').write(__name__ + chr(10))\n"
    for name in MODULES:
        (root / f"{name}.py").write_text(code)
    for package in ("lockgate", "sklearn", "omegaconf"):
        (root / package).mkdir()
        (root / package / "__init__.py").write_text(code)
    about = root / "acme_evil-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-evil\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[lockgate.evaluator]\nevil = acme_evil:Evil\n")
    (root / "acme_evil.py").write_text(code)
    (root / "conf" / "evil.yaml").write_text(
        "_target_: os.system\n_args_: ['touch ../ran']\nx: ${oc.env:HOME}\n"
    )
    return root


def line_of(path: tuple[str, ...]) -> list[str]:
    """Arguments with which a command does its work, or gets as far as it can."""
    lines: dict[tuple[str, ...], list[str]] = {
        ("init",): ["new"],
        ("run",): ["--until", "load", "--force"],
        ("stage",): ["evaluate"],
        ("pack",): ["models/candidate/model.skops", "--data", "data/raw/tumours.csv"],
        ("predict",): ["bundle", "data/raw/tumours.csv", "out.csv"],
        ("evaluate",): ["bundle", "data/prepared/test.parquet"],
        ("register",): ["bundle", "--outside"],
        ("gate",): ["tumours", "prod", "--dry"],
        ("promote",): ["tumours", "prod", "--override", "--reason", "x"],
        ("rollback",): ["tumours", "prod"],
        ("retire",): ["tumours", "prod"],
        ("trace",): ["bundle"],
        ("attest",): ["tumours", "--dry"],
        ("deploy",): ["bundle", "live"],
        ("serve",): ["bundle", "--port", "0"],
    }
    return lines.get(path, [])


def start(folder: Path, *words: str) -> None:
    """Run a command; one that goes on, as a server does, is ended."""
    script = Path(sysconfig.get_path("scripts")) / "lockgate"
    process = subprocess.Popen(
        [script, *words],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        process.communicate(timeout=4 if words[0] == "serve" else 120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


WHOLE = bool(os.environ.get("LOCKGATE_SOAK"))
SLICE = [path for path in COMMANDS if WHOLE or line_of(path)]
"""All commands in the proof; `make test` takes those that read the project."""


@pytest.mark.parametrize("path", SLICE, ids="-".join)
def test_a_command_runs_no_code_of_its_folder(hostile: Path, path: tuple[str, ...]) -> None:
    marker = hostile.parent / "ran"
    start(hostile, *path, *line_of(path))
    assert not marker.exists(), marker.read_text()


@pytest.mark.parametrize("words", [["evaluate", "."], ["predict", ".", "in.csv", "o.csv"]])
def test_a_bundle_runs_no_code_in_its_folder(hostile: Path, words: list[str]) -> None:
    marker = hostile.parent / "ran"
    folder = hostile.parent / "sent"
    if not folder.exists():
        shutil.copytree(hostile / "bundle", folder)
        for name in MODULES:
            shutil.copy(hostile / f"{name}.py", folder)
    start(folder, *words)
    assert not marker.exists(), marker.read_text()


def test_the_modules_of_the_folder_would_tell(hostile: Path) -> None:
    """Python itself takes modules from the folder unless it is told not to."""
    marker = hostile.parent / "ran"
    subprocess.run([sys.executable, "-c", "import pluggy"], cwd=hostile, check=True)
    assert marker.read_text() == "pluggy\n"
    marker.unlink()


def test_every_process_of_ours_looks_for_modules_where_it_should() -> None:
    """Python starts with -P, or the current folder would come first.

    The conformance kit imports the plugin under test, which may lie in the current folder.
    """
    wrong = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        if path.parent.name == "testing":
            continue
        lists = (
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.List)
        )
        for words in ([ast.unparse(entry) for entry in node.elts] for node in lists):
            if words[:1] in (["sys.executable"], ["str(python)"]) and words[1:2] != ["'-P'"]:
                wrong.append(f"{path.name}: {' '.join(words)[:80]}")
    assert wrong == []
