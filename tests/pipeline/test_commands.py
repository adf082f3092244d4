"""The three ways to run a real project: lockgate run, dvc exp run -S, dvc repro."""

import json
import os
import re
from pathlib import Path

import pytest

import lockgate
from lockgate.plugins.host.params_file import read_params
from tests.conftest import Run
from tests.in_process import run_here

pytestmark = pytest.mark.slow


def ran(words: str) -> list[str]:
    """Names of the stages that DVC ran, but for the check of the choices."""
    return [name for name in re.findall(r"Running stage '(\w+)'", words) if name != "choices"]


def test_nothing_changed_runs_nothing(call: Run, project: Path) -> None:
    assert ran(call("lockgate", "run", cwd=project).stdout) == []
    assert ran(call("dvc", "repro", cwd=project).stdout) == []


def test_what_a_run_leaves_is_whole(made: Path) -> None:
    report = json.loads((made / "report" / "report.json").read_text())
    roc = report["evaluators"]["classification"]["metrics"]["roc_auc"]
    assert roc["low"] < roc["estimate"] <= roc["high"]
    assert roc["estimate"] > 0.97
    page = (made / "report" / "index.html").read_text()
    assert page.count("<svg") == 4
    assert "http" not in page.replace("http-equiv", "")
    assert (made / "report" / "monitor.html").is_file()
    assert json.loads((made / "report" / "cost.json").read_text())["cost"]["metrics"]["model_kb"]
    assert "cost" not in json.loads((made / "bundle" / "metrics.json").read_text())


def test_another_model_runs_only_what_depends_on_it(call: Run, project: Path) -> None:
    done = call("lockgate", "run", "model=tree", "compressor=[]", cwd=project)
    assert ran(done.stdout) == ["optimize", "compress", "evaluate", "package", "monitor"]
    assert "optimize: " not in done.stderr
    bundle = lockgate.open(project / "bundle")
    assert bundle.manifest.hashes.code["model.tree"]
    # what follows from the same parameters is not run twice
    assert ran(call("dvc", "repro", cwd=project).stdout) == []


def test_another_monitor_retrains_nothing(call: Run, project: Path) -> None:
    done = call("lockgate", "run", "monitor.drift.effect=0.2", cwd=project)
    assert ran(done.stdout) == ["monitor"]


def test_another_evaluator_retrains_nothing(call: Run, project: Path) -> None:
    done = call("lockgate", "run", "evaluator.classification.resamples=20", cwd=project)
    assert ran(done.stdout) == ["evaluate", "package", "monitor"]


def test_experiments_compose_the_same_options(call: Run, project: Path) -> None:
    call(
        "dvc",
        "exp",
        "run",
        "-S",
        "compressor=[]",
        "-S",
        "optimizer=random",
        "-S",
        "optimizer.random.trials=3",
        "-S",
        "search.folds=2",
        cwd=project,
    )
    params = read_params(project / "params.yaml")
    assert params["optimizer"]["random"]["trials"] == 3
    assert params["compressor"] == {}
    assert params["compressor_order"] == []
    # what else is refused is refused in one place: tests/plugins/config/test_compose.py
    for override, words in (
        ("backend=cupy", "choose backend=numpy"),
        ("project.name=${oc.env:HOME}", "resolvers would save secrets"),
    ):
        done = call("dvc", "exp", "run", "-S", override, cwd=project, code=None)
        assert done.returncode != 0
        assert words in done.stderr, (override, done.stderr)


def test_an_edit_of_the_parameters_runs_what_it_changes(call: Run, project: Path) -> None:
    file = project / "params.yaml"
    file.write_text(file.read_text().replace("max_loss: 0.01", "max_loss: 0.5"))
    done = call("dvc", "repro", cwd=project)
    assert ran(done.stdout)[0] == "compress"
    refused = run_here("run", cwd=project, code=2)
    assert "params.yaml was edited: compression.max_loss=0.5" in refused.stderr
    assert read_params(file)["compression"]["max_loss"] == 0.5
    run_here("run", "--discard", "--no-run", cwd=project)
    assert read_params(file)["compression"]["max_loss"] == 0.01
    file.write_text(file.read_text().replace("max_loss: 0.01", "max_loss: 0.5"))
    kept = run_here("run", "--keep", "split.tune=0.25", "--no-run", cwd=project)
    assert "max_loss" not in kept.stdout
    assert "max_loss: 0.5" in (project / "conf" / "chosen" / "now.yaml").read_text()
    assert read_params(file)["compression"]["max_loss"] == 0.5
    assert read_params(file)["split"]["tune"] == 0.25


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("points: 6", "points: many", "optimizer.grid.points is 'many'; allowed: int"),
        ("points: 6", "points: 6000", "optimizer.grid.points is 6000"),
        ("  strengths: 12", "  strenghts: 12", "did you mean 'strengths'"),
        ("plugin: lasso", "plugin: laso", "did you mean 'lasso'"),
        ("seed: 0", "seed: [", "params.yaml, line"),
    ],
)
def test_nonsense_by_hand_is_refused_before_any_work(
    call: Run, project: Path, old: str, new: str, words: str
) -> None:
    file = project / "params.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new).replace("test: 0.2", "test: 0.21"))
    before = (project / "bundle" / "manifest.json").read_bytes()
    done = call("lockgate", "stage", "load", cwd=project, code=2)
    assert words in done.stderr
    assert (project / "bundle" / "manifest.json").read_bytes() == before


def test_plugin_code_that_is_not_the_recorded_one_says_so(call: Run, project: Path) -> None:
    file = project / "params.yaml"
    text = re.sub(
        r"(plugin: logistic\n\s+provider: lockgate@)\w+", r"\g<1>000000000000", file.read_text()
    )
    file.write_text(text)
    done = call("lockgate", "stage", "optimize", cwd=project, code=3)
    assert "recompose with: lockgate run" in done.stderr


def test_a_missing_data_file_is_named(call: Run, project: Path) -> None:
    (project / "data" / "raw" / "tumours.csv").rename(project / "data" / "raw" / "tumors.csv")
    done = call("lockgate", "stage", "load", cwd=project, code=2)
    assert "data file data/raw/tumours.csv is missing; available:" in done.stderr
    assert "tumors.csv" in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("mean_radius", "radius"), ""),
        (("malignant", "benign"), "unknown target column 'malignant'"),
    ],
)
def test_a_renamed_column_is_named(
    call: Run, project: Path, change: tuple[str, str], words: str
) -> None:
    file = project / "data" / "raw" / "tumours.csv"
    file.write_text(file.read_text().replace(*change, 1))
    done = call("lockgate", "stage", "load", cwd=project, code=2 if words else 0)
    assert words in done.stderr


@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="a quarter of a minute; test_experiments_compose runs one experiment: make soak",
)
def test_a_queue_of_experiments(call: Run, project: Path) -> None:
    done = call("lockgate", "run", "-m", "optimizer.grid.points=2,3", cwd=project)
    assert "Queued" in done.stdout
    assert len(re.findall("Queued experiment", done.stdout)) == 2


@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="half a minute; test_sections has the setting: make soak",
)
def test_a_strict_budget_fails_where_a_step_does_not_help(call: Run, project: Path) -> None:
    done = call(
        "lockgate", "run", "compressor=prune", "compression.strict=true", cwd=project, code=None
    )
    assert done.returncode != 0
    assert "compressor prune does not help: LogisticRegression has no trees" in done.stderr
    done = call("lockgate", "run", "compression.strict=false", cwd=project)
    assert "prune skipped: LogisticRegression has no trees" in done.stderr


def test_inside_another_repository(call: Run, tmp_path: Path) -> None:
    call("git", "init", "-q", cwd=tmp_path)
    rows = "\n".join(f"{k},{k % 7},{'abc'[k % 3]},{k * 2.5}" for k in range(200))
    (tmp_path / "spend.csv").write_text("age,visits,town,dollars\n" + rows + "\n")
    call("lockgate", "init", "inner", "--data", "spend.csv", "--target", "dollars", cwd=tmp_path)
    call("lockgate", "run", cwd=tmp_path / "inner")
    report = json.loads((tmp_path / "inner" / "report" / "metrics.json").read_text())
    assert report["regression"]["r2"] > 0.99
