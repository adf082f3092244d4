"""Projects in repositories of Git and DVC that were there before, with pipelines of others."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lockgate.errors import LockgateError, SettingError, UsageError
from lockgate.pipeline.interrupted import remove_half_written
from lockgate.pipeline.parameters import check_derived, compose, write_composition
from lockgate.pipeline.run import queue_experiment, run_pipeline
from lockgate.pipeline.run_lock import lock_run
from lockgate.pipeline.scaffold import create_project
from lockgate.pipeline.stage import VALUES_VARIABLE, run_stage
from lockgate.plugins.config.stamp import values_digest
from lockgate.plugins.host.params_file import read_params, write_params
from lockgate.registry.api import Ledger
from tests.conftest import Run, environment
from tests.shared_folder import shared_folder

STAGES = """\
# of the data team
stages:
  features:   # nightly
    cmd: make features
    outs:
      - features.csv: {cache: false}
"""
WIDE = """\
stages:
    # indented by four
    features:
        cmd: make features
        outs:
            - features.csv
"""


def dvc(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git and DVC repository without a project."""

    def fill(folder: Path) -> None:
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        dvc(folder, "init", "-q")

    return shared_folder(tmp_path_factory, "team", fill)


@pytest.fixture
def shared(repository: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(repository, tmp_path / "team"))


def test_a_project_uses_the_dvc_repository_that_it_lies_in(shared: Path) -> None:
    created = create_project(shared / "models" / "risk")
    assert not created.note
    assert [path.parent for path in shared.rglob(".dvc") if path.is_dir()] == [shared]
    assert dvc(shared, "config", "hydra.config_dir").strip() == "models/risk/conf"
    assert dvc(created.directory, "status", "data/raw/tumours.csv.dvc").count("up to date")


@pytest.mark.parametrize("stages", [STAGES, WIDE, "metrics:\n  - m.json\nstages:\n"])
def test_stages_are_added_to_those_of_others(shared: Path, stages: str) -> None:
    (shared / "dvc.yaml").write_text(stages)
    create_project(shared)
    text = (shared / "dvc.yaml").read_text()
    assert text.startswith(stages)
    names = list(yaml.safe_load(text)["stages"])
    assert names[-7:-5] == ["choices", "load"]
    assert dvc(shared, "stage", "list", "--name-only").split() == names


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("params.yaml", "trees: 5\n", "already has params.yaml, which a project needs to itself"),
        ("dvc.yaml", "stages: {load: {cmd: make}}\n", "already has stages with the name load"),
        ("dvc.yaml", "stages: [a]\n", "expected a mapping below stages"),
        ("dvc.yaml", "- a\n", "expected a mapping of stages"),
        ("dvc.yaml", "stages: {a: [\n", "dvc.yaml is not valid YAML"),
    ],
)
def test_what_others_wrote_is_never_overwritten(
    shared: Path, file: str, content: str, message: str
) -> None:
    (shared / file).write_text(content)
    with pytest.raises(UsageError, match=message):
        create_project(shared)
    assert (shared / file).read_text() == content
    assert sorted(path.name for path in shared.iterdir()) == sorted(
        [".dvc", ".dvcignore", ".git", file]
    )


def test_experiments_of_other_pipelines_stay_as_they_are(shared: Path) -> None:
    (shared / "params.yaml").write_text("trees: 5\n")
    created = create_project(shared / "risk")
    assert "`dvc exp run` can set values, not choose plugins" in created.note
    assert "hydra" not in (shared / ".dvc" / "config").read_text()
    write_composition(created.directory, compose(created.directory))
    with pytest.raises(UsageError, match="DVC composes nothing in the experiments"):
        queue_experiment("model=boosting,linear", root=created.directory)


def test_parameters_of_another_project_are_refused_in_an_experiment(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (create_project(shared / name).directory for name in ("first", "second"))
    for project in (first, second):
        document = compose(project).after
        write_params(project / "params.yaml", document)  # as DVC writes them
    monkeypatch.setenv("DVC_EXP_NAME", "lucky-deer")
    check_derived(first)
    for check in (check_derived, lambda project: run_stage("load", project)):
        with pytest.raises(UsageError, match="DVC composes .*first/conf in the experiments"):
            check(second)


def test_parameters_that_change_during_a_run_are_refused(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composition = compose(fresh)
    write_composition(fresh, composition)
    monkeypatch.setenv(VALUES_VARIABLE, values_digest(composition.after))
    run_stage("load", fresh)
    file = fresh / "params.yaml"
    file.write_text(file.read_text().replace("folds: 5", "folds: 4"))
    with pytest.raises(UsageError, match="changed while `lockgate run` was in progress"):
        run_stage("load", fresh)


def test_a_second_project_is_told_that_experiments_are_refused(shared: Path) -> None:
    create_project(shared / "first")
    assert "first/conf in the experiments" in create_project(shared / "second").note


def test_a_plugin_set_without_composing_is_refused_with_the_command(fresh: Path) -> None:
    document = compose(fresh).after
    write_params(fresh / "params.yaml", document | {"model": "boosting"})
    with pytest.raises(SettingError, match="as `lockgate run model=boosting` writes them"):
        run_stage("load", fresh)


def test_a_sweep_with_an_unknown_name_queues_nothing(fresh: Path) -> None:
    with pytest.raises(UsageError, match="no model named 'bosting', did you mean 'boosting'"):
        queue_experiment("model=linear,bosting", root=fresh)
    with pytest.raises(UsageError, match="expected a list of values"):
        queue_experiment("model=glob(*)", root=fresh)
    with pytest.raises(UsageError, match="starts from a commit, and there is none"):
        queue_experiment("model=linear,boosting", root=fresh)
    assert not dvc(fresh, "queue", "status").count("Queued")


def test_data_that_are_not_here_are_named_before_any_stage_runs(fresh: Path) -> None:
    (fresh / "data" / "raw" / "tumours.csv").unlink()
    with pytest.raises(
        UsageError, match="data/raw/tumours.csv is not here: get it with `dvc pull`"
    ):
        run_pipeline(root=fresh)


def test_the_lines_of_gitignore_stay(shared: Path) -> None:
    (shared / ".gitignore").write_text("*.pyc")
    create_project(shared)
    assert (shared / ".gitignore").read_text().startswith("*.pyc\n")


def test_a_queue_in_a_path_that_dvc_cannot_write_is_refused(tmp_path: Path) -> None:
    project = create_project(tmp_path / "Händler").directory
    with pytest.raises(UsageError, match="letters beyond ASCII"):
        queue_experiment("model=linear,boosting", root=project)


def test_the_ledger_records_edited_parameters(project: Path, call: Run) -> None:
    file = project / "params.yaml"
    document = read_params(file)
    assert document["resources"]["threads"] == 0
    file.write_text(file.read_text().replace("threads: 0", "threads: 1"))
    call("dvc", "repro", cwd=project)
    call("git", "add", "-A", cwd=project)
    call("git", "commit", "-q", "-m", "a run", cwd=project)
    assert Ledger(project).register(project / "bundle").params_edited


def test_composed_parameters_are_not_marked_as_edited(project: Path) -> None:
    assert not Ledger(project).register(project / "bundle").params_edited


def test_a_file_of_the_user_is_never_replaced(shared: Path, tmp_path: Path) -> None:
    raw = shared / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "tumours.csv").write_text("precious")
    with pytest.raises(UsageError, match="tumours.csv exists and would be overwritten"):
        create_project(shared)
    assert (raw / "tumours.csv").read_text() == "precious"
    assert [path.name for path in raw.iterdir()] == ["tumours.csv"]


def test_a_data_file_with_the_name_of_a_loader_is_loaded(tmp_path: Path) -> None:
    rows = "".join(f"{k},{k % 2}\n" for k in range(60))
    (tmp_path / "csv.csv").write_text("x,y\n" + rows)
    project = create_project(tmp_path / "p", data=tmp_path / "csv.csv", target="y").directory
    assert list(compose(project).after["loader"]) == ["csv-data"]


def test_an_empty_file_is_refused_in_a_line(tmp_path: Path) -> None:
    for content in (b"", b"\n\n", b"\x00\xff\xfe\x80"):
        (tmp_path / "rows.csv").write_bytes(content)
        with pytest.raises(LockgateError):
            create_project(tmp_path / "p", data=tmp_path / "rows.csv", target="y")
        assert not (tmp_path / "p" / "conf").exists()


@pytest.mark.parametrize("content", [b"# \xe9\n*.py text\n", b"*.py text\r\n*.md text", b""])
def test_attributes_of_others_stay(shared: Path, content: bytes) -> None:
    path = shared / ".gitattributes"
    path.write_bytes(content)
    create_project(shared)
    assert path.read_bytes().startswith(content)
    assert path.read_bytes().splitlines()[-1] == b"dvc.lock -merge"
    ends = {line[-2:] == b"\r\n" for line in path.read_bytes().splitlines(keepends=True)}
    assert len(ends) == 1


def test_attributes_that_git_does_not_read_are_refused(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "attributes").write_text("")
    (shared / ".gitattributes").symlink_to(tmp_path / "attributes")
    with pytest.raises(UsageError, match="must be a file, since Git reads no other"):
        create_project(shared)
    assert (tmp_path / "attributes").read_text() == ""


def test_a_failed_attempt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "nosuch"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # an option that `git init` refuses
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "init.defaultBranch")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "a..b")
    with pytest.raises(LockgateError, match="invalid"):
        create_project(tmp_path / "a" / "shop")
    assert not (tmp_path / "a").exists()


def test_a_second_attempt_at_the_same_time_undoes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    with lock_run(folder):
        (folder / "data").mkdir()  # as the first attempt does meanwhile
        (folder / "data" / "rows.csv").write_text("a\n")
        with pytest.raises(UsageError, match="is running in this project"):
            create_project(folder)
        assert (folder / "data" / "rows.csv").exists()
    create_project(folder)


def test_an_attempt_that_was_killed_is_completed_by_the_next(call: Run, tmp_path: Path) -> None:
    child = subprocess.Popen(
        ["lockgate", "init", "shop"], cwd=tmp_path, env=environment(), start_new_session=True
    )
    while not (tmp_path / "shop" / ".dvc" / "config").exists():
        assert child.poll() is None
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "shop" / "conf").exists()
    call("lockgate", "init", "shop", cwd=tmp_path)
    call("lockgate", "run", "--no-run", cwd=tmp_path / "shop")
    stages = yaml.safe_load((tmp_path / "shop" / "dvc.yaml").read_text())["stages"]
    assert list(stages)[:2] == ["choices", "load"]


def test_line_ends_of_others_stay(shared: Path) -> None:
    (shared / "dvc.yaml").write_bytes(STAGES.replace("\n", "\r\n").encode())
    create_project(shared)
    lines = (shared / "dvc.yaml").read_bytes().split(b"\n")[:-1]
    assert all(line.endswith(b"\r") for line in lines)


def test_a_gitignore_that_hides_the_project_is_refused(shared: Path) -> None:
    (shared / ".gitignore").write_text("*.yaml\n")
    with pytest.raises(UsageError, match=r"a .gitignore hides .*dvc\.yaml"):
        create_project(shared)


def test_files_that_a_kill_cut_off_are_removed(fresh: Path) -> None:
    locks, file = fresh / ".dvc" / "tmp" / "rwlock", fresh / "dvc.lock"
    complete = (
        "schema: '2.0'\nstages:\n  load:\n    cmd: make\n    outs:\n    - path: a\n      md5: b\n"
    )
    messages: list[str] = []
    locks.parent.mkdir(exist_ok=True)
    locks.write_text('{"read": {}}')
    file.write_text(complete)
    remove_half_written(fresh, messages.append)
    assert not messages
    assert locks.exists()
    locks.write_text("")
    for length in range(len(complete) - 9):
        file.write_text(complete[:length])
        remove_half_written(fresh, messages.append)
        if file.exists():  # without outputs, so that DVC runs it again
            assert complete[:length].strip().endswith(("m", "ma", "mak", "make"))
    assert not locks.exists()
    assert messages[0].endswith("rwlock was cut off: removed")
    assert "dvc.lock was cut off" in messages[1]
