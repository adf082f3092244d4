"""Changed files with right digests: no signal, no hang, one kind of error.

`make test` takes 2,000 of them; the proof 100,000, resumable by seed.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

COUNT = 500
SEEDS = range(200) if os.environ.get("LOCKGATE_SOAK") else range(2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_changed_model_is_refused_or_answers(seed: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.packed.mutations", str(seed), str(COUNT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-2000:]}"
    found = json.loads(done.stdout)
    assert found["strange"] == []
    assert found["refused"] > COUNT / 2
    assert found["answered"] > COUNT / 20
