"""An optimizer of a third party, written from the documentation, that continues fits."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lockgate.testing import check_plugin, example_requests
from tests.conftest import ROOT, Run
from tests.extensions.test_formats import distribution

PAGE = ROOT / "docs" / "how-to" / "write-an-optimizer.md"
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    distribution(folder, "acme-halving", CODE, "halving = acme_halving:Halving", "optimizer")
    return folder


@pytest.fixture
def halving(site: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    return importlib.import_module("acme_halving").Halving


def test_it_is_as_short_as_the_page_says() -> None:
    lines = [line for line in CODE.splitlines() if line.strip()]
    assert len(lines) <= 40
    assert f"halving in {len(lines)} lines" in PAGE.read_text()


def test_it_passes_the_checks(halving: Any) -> None:
    check_plugin("optimizer", halving, settings={"points": 4, "rounds": 3})


def test_it_continues_the_better_points(halving: Any) -> None:
    request: Any = example_requests("optimizer")["binary-trees"]
    search = halving(points=12, rounds=4).optimize(request)
    assert Counter(trial.rung for trial in search.trials) == {0: 12, 1: 4, 2: 1}
    first = sorted(search.trials[:12], key=lambda trial: trial.loss)
    assert {trial.params["learning_rate"] for trial in search.trials[12:16]} == {
        trial.params["learning_rate"] for trial in first[:4]
    }
    assert search.best is search.trials[-1]
    assert search.candidate.params["max_iter"] == search.best.rounds
    whole = request.measure(search.candidate.params)
    assert whole.loss == pytest.approx(search.best.loss, rel=1e-9)


@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="a quarter of a minute; test_installed_plugins runs a project: make soak",
)
def test_it_runs_in_a_project(project: Path, site: Path, call: Run) -> None:
    done = call(
        "lockgate",
        "run",
        "model=boosting",
        "optimizer=halving",
        "optimizer.halving.points=3",
        "search.folds=2",
        cwd=project,
        PYTHONPATH=str(site),
    )
    trials = pd.read_csv(project / "models" / "trials.csv")
    assert trials["rung"].tolist() == [0, 0, 0, 1]
    assert trials["rounds"].between(1, 60).all()
    assert f"loss {trials['loss'].iloc[-1]:.4f}" in done.stdout + done.stderr
    facts = json.loads((project / "models" / "candidate" / "facts.json").read_text())
    assert facts["params"]["max_iter"] == trials["rounds"].iloc[-1]
