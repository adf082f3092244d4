"""Versions, stages and experiments are compared as bundles are, and a plan changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.linear_model import LinearRegression

import lockgate
from lockgate.cli.commands import lockgate as command_line
from lockgate.data.io.atomic import write_file
from lockgate.errors import UsageError
from lockgate.registry.api import Ledger
from lockgate.registry.bundle_references import find_bundle
from lockgate.registry.ledger.rules import StageChanged
from tests.conftest import Run
from tests.registry.conftest import git, guard

SMALL = "gate:\n  size:\n    plugin: size\n    at_most_kb: 64\n"


def invoke(*words: str) -> Result:
    return CliRunner().invoke(command_line, list(words), standalone_mode=False)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Rows of the models that are packed for these tests."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(400, 6)), columns=[f"x{k}" for k in range(6)])
    frame["bad"] = frame.sum(axis=1) + rng.normal(size=400) > 0
    frame.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


def test_versions_and_stages_are_compared_as_their_folders(
    shop: Path, bundles: list[Path], rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(shop, SMALL)
    ledger = Ledger(shop)
    version = ledger.register(bundles[1]).version
    ledger.promote("fraud", "prod", version="1.0.0")
    monkeypatch.chdir(shop)
    results = [
        invoke("compare", *pair, "--data", str(rows), "--json")
        for pair in (
            ("fraud@prod", f"fraud@{version}"),
            ("fraud@1.0.0", str(bundles[1])),
        )
    ]
    first, second = (json.loads(result.stdout) for result in results)
    assert first["first"]["label"] == "fraud@1.0.0"
    assert second["second"]["label"] == str(bundles[1])
    assert first["metrics"] == second["metrics"]
    python = lockgate.compare("fraud@prod", bundles[1], rows, project=shop)
    assert python.metrics[0].change.estimate == first["metrics"][0]["change"]["estimate"]


def test_a_plan_shows_gates_and_comparison_and_changes_nothing(
    shop: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(shop, SMALL)
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", version="1.0.0")
    newest = ledger.state.versions("fraud")[0]
    before = git(shop, "for-each-ref")
    monkeypatch.chdir(shop)
    result = invoke("promote", "fraud", "prod", "--plan", "--data", str(rows))
    assert result.return_value == 0, result.output
    assert "size" in result.stdout
    assert f"changes are those from fraud@1.0.0 to fraud@{newest}" in result.stdout
    assert (
        f"plan: fraud@{newest} would be in prod, instead of 1.0.0; nothing was changed"
        in result.stdout
    )
    assert git(shop, "for-each-ref") == before
    guard(shop, "gate:\n  size:\n    plugin: size\n    at_most_kb: 0.1\n")
    assert invoke("promote", "fraud", "prod", "--plan").return_value == 1
    first = invoke("promote", "fraud", "staging", "--plan")
    assert "instead of nothing; nothing was changed" in first.stdout


def test_an_experiment_is_compared_with_the_bundle_of_the_project(project: Path, call: Run) -> None:
    root = project
    call("dvc", "exp", "run", "-q", "-n", "deeper", "-S", "compression.max_loss=0.02", cwd=root)
    git(root, "checkout", "-q", "--force", "HEAD")
    call("dvc", "checkout", "-q", cwd=root)
    comparison = lockgate.compare("deeper", root / "bundle", project=root)
    assert comparison.rows > 50
    assert comparison.first.label == "deeper"
    assert "parameters" in {entry.subject for entry in comparison.differences}
    shutil.rmtree(root / "bundle")
    again = lockgate.compare("HEAD", "deeper", project=root)
    assert again.rows == 0  # the test rows are those of a bundle that is here no more
    assert again.second.digest == comparison.first.digest


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("fraud@9.9.9", "9.9.9"),
        ("fraud@prod", "prod"),
        ("nothing@1.0.0", "no model 'nothing' is registered"),
        ("no-such-branch", "expected a folder, NAME@VERSION, NAME@STAGE, or an experiment"),
        ("--help", "expected a folder"),
        ("HEAD", "name no bundle"),
    ],
)
def test_what_names_no_bundle_is_said(shop: Path, reference: str, message: str) -> None:
    with pytest.raises(lockgate.LockgateError, match=message):
        find_bundle(reference, shop)


def test_outside_a_repository_only_folders_are_bundles(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a Git repository"):
        lockgate.compare("fraud@prod", "bundle", project=tmp_path)


def test_outputs_are_not_written_over_each_other_or_the_rows(
    bundles: list[Path], rows: Path, tmp_path: Path
) -> None:
    words = ["compare", str(bundles[0]), str(bundles[1]), "--data", str(rows)]
    page = str(tmp_path / "page.html")
    for options in (
        ["--differing", str(rows)],
        ["--page", page, "--differing", page],
        ["--page", str(tmp_path)],
        ["--page", ""],
    ):
        before = rows.read_bytes()
        result = CliRunner().invoke(command_line, [*words, *options])
        assert result.exit_code == 2, options
        assert rows.read_bytes() == before


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_file(pipe, "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_plan_is_refused_where_a_promotion_would_be(
    shop: Path, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(shop, SMALL)
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", version="1.0.0")
    monkeypatch.chdir(shop)
    with pytest.raises(StageChanged):
        ledger.promote("fraud", "prod", expect="9.9.9")
    expected = invoke("promote", "fraud", "prod", "--plan", "--expect", "9.9.9")
    assert isinstance(expected.exception, StageChanged)
    for option in (["--override"], ["--queue"], ["--reason", "x"]):
        result = invoke("promote", "fraud", "prod", "--plan", *option)
        assert "--plan changes nothing" in str(result.exception), option


def test_a_plan_shows_the_verdict_where_versions_cannot_be_compared(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(shop, SMALL)
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", version="1.0.0")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["x0", "x1"])
    number = pd.Series(frame.sum(axis=1), name="bad")
    lockgate.pack(
        LinearRegression().fit(frame, number), frame, number, name="fraud", path=tmp_path / "line"
    )
    version = ledger.register(tmp_path / "line").version
    monkeypatch.chdir(shop)
    result = invoke("promote", f"fraud@{version}", "prod", "--plan")
    assert "size" in result.stdout
    assert "not compared with fraud@1.0.0" in result.stdout
    assert "nothing was changed" in result.stdout


def test_experiments_of_one_name_are_told_apart_by_their_commits(shop: Path) -> None:
    commits = []
    for message in ("a", "b"):
        git(shop, "commit", "-q", "--allow-empty", "-m", message)
        commits.append(git(shop, "rev-parse", "HEAD"))
        base = commits[-1]
        git(shop, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/deep", base)
    with pytest.raises(UsageError, match="2 experiments are called 'deep'"):
        find_bundle("deep", shop)


def test_rows_that_are_missing_are_named(bundles: list[Path], tmp_path: Path) -> None:
    with pytest.raises(lockgate.LockgateError, match=r"missing\.csv"):
        lockgate.compare(bundles[0], bundles[1], tmp_path / "missing.csv")
    result = invoke("compare", *map(str, bundles[:2]), "--differing", str(tmp_path / "d.csv"))
    assert "--differing needs rows" in str(result.exception)
