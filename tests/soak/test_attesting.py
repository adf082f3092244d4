"""Every example experiment, built again from its commit on two thread counts, gives the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lockgate.registry.api import Ledger
from lockgate.registry.attest.attest import attest
from tests.conftest import ROOT, Run
from tests.registry.conftest import QUIET, git

EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))

pytestmark = pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="two minutes; `make soak` runs it, and test_versions_docs attests one project",
)


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("model", ["logistic", "boosting"])
def test_an_experiment_is_built_again(name: str, model: str, tmp_path: Path, call: Run) -> None:
    if name == "spend" and model == "logistic":
        model = "linear"  # a regression
    folder = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    for key, value in (("user.name", "Ada"), ("user.email", "ada@x"), ("lockgate.remote", "none")):
        git(folder, "config", key, value)
    shutil.rmtree(folder / ".dvc" / "cache", ignore_errors=True)
    call("lockgate", "run", f"experiment={name}", f"model={model}", cwd=folder, **QUIET)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", name)
    ledger = Ledger(folder)
    record = ledger.register(folder / "bundle")
    for threads in (1, 2):
        found = attest(record.name, ledger=ledger, threads=threads)
        assert found.passed, found.differing
