"""What a stage loads when it runs in a process of its own, as under `dvc repro`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import environment

SCRIPT = """
import sys
from pathlib import Path
from lockgate.pipeline.stage import run_stage
run_stage(sys.argv[1], Path.cwd())
print(*[name for name in ("sklearn", "scipy.stats", "skops", "hydra", "dvc") if name in sys.modules])
"""


@pytest.mark.parametrize("stage", ["load", "evaluate", "package", "monitor"])
def test_a_stage_that_fits_nothing_loads_no_training_library(stage: str, project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, stage],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
