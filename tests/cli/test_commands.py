"""The command line as a user types it."""

import json
from pathlib import Path

import pytest
from tests.conftest import Run
from tests.in_process import run_here

from lockgate.plugins.host.params_file import read_params


def test_help_names_every_command(call: Run, tmp_path: Path) -> None:
    words = call("lockgate", "--help", cwd=tmp_path).stdout
    for command in ("init", "run", "show", "plugins", "evaluate", "version"):
        assert command in words
        assert len(call("lockgate", command, "--help", cwd=tmp_path).stdout) > 150


def test_an_unknown_command_names_the_nearest(call: Run, tmp_path: Path) -> None:
    assert "did you mean 'run'" in call("lockgate", "rnu", cwd=tmp_path, code=2).stderr


def test_versions_are_there_for_scripts(call: Run, tmp_path: Path) -> None:
    found = json.loads(call("lockgate", "version", "--json", cwd=tmp_path).stdout)
    assert found["contract"] == "1"


def test_plugins_are_listed_with_settings(call: Run, tmp_path: Path) -> None:
    rows = json.loads(call("lockgate", "plugins", "compressor", "--json", cwd=tmp_path).stdout)
    assert {"lasso", "prune"} <= {row["name"] for row in rows}
    words = call("lockgate", "plugins", "optimizer", "random", cwd=tmp_path).stdout
    assert "trials" in words
    assert "points to try" in words
    assert (
        "did you mean 'random'"
        in call("lockgate", "plugins", "optimizer", "randm", cwd=tmp_path, code=2).stderr
    )
    assert (
        "available: loader" in call("lockgate", "plugins", "optimiser", cwd=tmp_path, code=2).stderr
    )


def test_outside_of_a_project_the_way_in_is_named(call: Run, tmp_path: Path) -> None:
    for command in (["run"], ["show"]):
        assert "lockgate init" in call("lockgate", *command, cwd=tmp_path, code=2).stderr
    assert "is not a bundle" in call("lockgate", "evaluate", cwd=tmp_path, code=2).stderr
    assert (
        "params.yaml is missing" in call("lockgate", "stage", "load", cwd=tmp_path, code=2).stderr
    )


def test_init_overwrites_nothing(call: Run, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("trees: 5\n")
    done = call("lockgate", "init", cwd=tmp_path, code=2)
    assert "already has params.yaml" in done.stderr
    assert (tmp_path / "params.yaml").read_text() == "trees: 5\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "rows.csv", "--target", "yy"], "did you mean 'y'"),
        (["--data", "rows.csv"], "column to predict is missing"),
        (["--data", "rows.txt", "--target", "y"], "expected one of .csv"),
        (["--data", "none.csv", "--target", "y"], "does not exist"),
    ],
)
def test_init_says_what_is_wrong_with_data(
    call: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "rows.csv").write_text("a,y\n1,0\n2,1\n")
    (tmp_path / "rows.txt").write_text("a,y\n1,0\n2,1\n")
    done = call("lockgate", "init", "new", *arguments, cwd=tmp_path, code=2)
    assert words in done.stderr
    assert not (tmp_path / "new" / "dvc.yaml").exists()


def test_requirements_decide_the_exit_code(call: Run, made: Path) -> None:
    held = run_here("evaluate", "--require", "classification.roc_auc>=0.9", cwd=made)
    assert "classification.roc_auc" in held.stdout
    not_held = call(
        "lockgate", "evaluate", "--require", "classification.roc_auc>1", cwd=made, code=1
    )
    assert "not met: classification.roc_auc>1" in not_held.stderr
    unknown = run_here("evaluate", "--require", "classification.auc>1", cwd=made, code=2)
    assert "available: classification.accuracy" in unknown.stderr
    run_here("evaluate", "--require", "nonsense", cwd=made, code=2)


def test_a_bundle_is_measured_on_a_file(call: Run, made: Path, tmp_path: Path) -> None:
    data = str(made / "data" / "raw" / "tumours.csv")
    found = json.loads(run_here("evaluate", "bundle", data, "--json", cwd=made).stdout)
    assert found["figures"]["classification"]["roc_auc"]["estimate"] > 0.98
    (tmp_path / "bad.csv").write_text("x,malignant\n1,True\n")
    few = ["evaluate", "bundle", data, "--set", "classification.resamples=0", "--json"]
    plain = json.loads(run_here(*few, cwd=made).stdout)["figures"]["classification"]
    assert plain["roc_auc"]["low"] is None
    for text, words in (
        ("classification.resample=0", "did you mean 'resamples'"),
        ("classification.resamples=-1", "at least 0"),
        ("classification", "expected NAME=VALUE"),
        ("resamples=0", "expected NAME.SETTING=VALUE"),
        ("classifcation.resamples=0", "classifcation"),
    ):
        wrong = run_here("evaluate", "bundle", data, "--set", text, cwd=made, code=2)
        assert words in wrong.stderr
    bad = run_here("evaluate", "bundle", str(tmp_path / "bad.csv"), cwd=made, code=2)
    assert "is missing" in bad.stderr


def test_show_says_where_values_come_from(call: Run, made: Path) -> None:
    rows = json.loads(run_here("show", "split.test=0.3", "--json", cwd=made).stdout)
    by_key = {row["key"]: row for row in rows}
    assert by_key["split.test"] == {
        "key": "split.test",
        "value": 0.3,
        "from": "override split.test=0.3",
        "params.yaml": 0.2,
    }
    assert by_key["loader.tumours.path"]["from"] == "conf/loader/tumours.yaml"
    changed = run_here("show", "--changed", cwd=made).stdout
    assert "loader.tumours.path" in changed
    assert "split.tune" not in changed


def test_a_dry_run_writes_nothing(call: Run, project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    words = run_here("run", "--dry", "model=boosting", cwd=project).stdout
    assert "model.boosting.trees" in words
    assert (project / "params.yaml").read_bytes() == before


def test_init_refuses_where_git_would_hide_the_data(call: Run, tmp_path: Path) -> None:
    call("git", "init", "-q", cwd=tmp_path)
    (tmp_path / ".gitignore").write_text("data/\n")
    done = call("lockgate", "init", "new", cwd=tmp_path, code=2)
    assert "a .gitignore hides" in done.stderr
    assert not (tmp_path / "new").exists()


def test_names_with_signs_are_names_and_nothing_else(call: Run, tmp_path: Path) -> None:
    place = tmp_path / "my #1 data: x"
    place.mkdir()
    (place / "${y} #.csv").write_text("a,${y}\n" + "".join(f"{k},{k % 2}\n" for k in range(20)))
    call("lockgate", "init", "null", "--data", "${y} #.csv", "--target", "${y}", cwd=place)
    call("lockgate", "run", "--no-run", cwd=place / "null")
    params = read_params(place / "null" / "params.yaml")
    assert params["project"]["name"] == "null"
    (loader,) = params["loader"].values()
    assert loader["path"] == "data/raw/${y} #.csv"
    assert loader["target"] == "${y}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--until", "lod"], "did you mean 'load'"),
        (["-m", "--dry"], "cannot be combined with other options"),
        (["--keep", "--discard"], "exclude each other"),
    ],
)
def test_options_that_make_no_sense_change_nothing(
    call: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = call("lockgate", "run", *arguments, "model=boosting", cwd=tmp_path, code=2)
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []
