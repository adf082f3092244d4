"""What docs/explanations.md shows runs, and says what comes out."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
from click.testing import CliRunner
from sklearn.datasets import load_breast_cancer

import lockgate
from lockgate.cli.commands import lockgate as command_line
from tests.docs.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "explanations.md"


def test_the_example_runs(tmp_path: Path) -> None:
    (source,) = blocks(PAGE, "python")
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 4
    X, _ = load_breast_cancer(return_X_y=True, as_frame=True)
    X.head(50).to_csv(tmp_path / "rows.csv", index=False)
    (line,) = blocks(PAGE, "bash")
    words = [
        str(tmp_path / word) if word in ("tumours", "rows.csv", "predictions.csv") else word
        for word in shlex.split(line)[2:]
    ]
    assert CliRunner().invoke(command_line, ["predict", *words]).exit_code == 0
    written = pd.read_csv(tmp_path / "predictions.csv")
    bundle = lockgate.open(tmp_path / "tumours")
    (shown,) = blocks(PAGE, "json")
    example = json.loads(shown)["explanation"]
    actual = bundle.explain(X.head(50)).document(0, 3)
    assert set(example) == set(actual)
    assert example["explained"] == actual["explained"]
    assert set(example["reasons"][0]) == set(actual["reasons"][0])
    assert written.reason_1[0] == actual["reasons"][0]["column"]
    assert written.contribution_1[0] == actual["reasons"][0]["contribution"]
