"""What docs/comparison.md shows runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from lockgate.cli.commands import lockgate as command_line
from tests.docs.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "comparison.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = blocks(PAGE, "python")
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    verdict, *metrics = done.stdout.splitlines()
    assert "log loss" in verdict
    assert len(metrics) == 3
    monkeypatch.chdir(tmp_path)
    (line,) = blocks(PAGE, "bash")
    result = CliRunner().invoke(command_line, shlex.split(line)[1:])
    assert result.exit_code == 0
    assert result.stdout.startswith(verdict)
    assert verdict in (tmp_path / "comparison.html").read_text()
    rows = pd.read_csv(tmp_path / "differing.csv")
    assert (rows["first"] != rows["second"]).all()
