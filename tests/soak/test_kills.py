"""Kills in the middle of every stage, over many moments; seeds are in the test's name, so a
run that was interrupted goes on with `make soak ARGS=--last-failed` or `-k`."""

import os
from pathlib import Path

import pytest

import lockgate
from tests.conftest import Run
from tests.pipeline.test_kills import kill_during

pytestmark = pytest.mark.slow

WHOLE = bool(os.environ.get("LOCKGATE_SOAK"))
STAGES = ("load", "optimize", "compress", "evaluate", "package", "monitor")
SEEDS = range(15) if WHOLE else range(1)
"""Ninety kills in the soak; `make test` takes one of two stages."""


@pytest.mark.parametrize("stage", STAGES if WHOLE else STAGES[1::3])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_kill_anywhere_leaves_nothing_half_done(
    call: Run, project: Path, stage: str, seed: int
) -> None:
    # five moments of the imports, ten of the work; the slice has a moment of its own for each stage
    moment = seed if len(SEEDS) > 1 else 5 + STAGES.index(stage)
    if moment < 5:
        kill_during(project, f"Running stage '{stage}'", after=0.1 * moment)
    else:
        after = 0.05 * (moment - 5)
        kill_during(project, f"Running stage '{stage}'", loaded=stage, after=after)
    if (project / "bundle").exists():
        lockgate.open(project / "bundle")
    call("dvc", "repro", cwd=project)
    lockgate.open(project / "bundle")
