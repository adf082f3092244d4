"""Coverage-guided runs over the readers of models and of requests; long in the proof, a slice in `make test`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytest.importorskip("atheris", reason="atheris has no wheel for this machine")
SECONDS = 3600 if os.environ.get("LOCKGATE_SOAK") else 2


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 200)
@pytest.mark.parametrize("what", ["fuzzing", "serving_fuzzing"])
def test_no_input_leads_to_anything_but_an_answer_or_a_refusal(what: str, tmp_path: Path) -> None:
    kept = ROOT / "build" / what if os.environ.get("LOCKGATE_SOAK") else tmp_path / "corpus"
    done = subprocess.run(
        [sys.executable, "-m", f"tests.soak.{what}", str(SECONDS), str(kept)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stat::number_of_executed_units" in done.stderr
