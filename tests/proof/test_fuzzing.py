"""A coverage-guided run over the reader; long in the proof, a slice in `make test`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytest.importorskip("atheris", reason="atheris has no wheel for this machine")
SECONDS = 3600 if os.environ.get("LOCKGATE_PROOF") else 15


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 200)
def test_no_input_leads_to_anything_but_an_answer_or_the_formats_error(tmp_path: Path) -> None:
    kept = ROOT / "build" / "fuzzing" if os.environ.get("LOCKGATE_PROOF") else tmp_path / "corpus"
    done = subprocess.run(
        [sys.executable, "-m", "tests.proof.fuzzing", str(SECONDS), str(kept)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stat::number_of_executed_units" in done.stderr
