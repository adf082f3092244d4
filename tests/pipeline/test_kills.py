"""A stage that is killed in the middle: the next run is right."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lockgate
from tests.conftest import Run, environment

pytestmark = pytest.mark.slow


def killed_in(project: Path, stage: str, after: float) -> None:
    """Start `dvc repro -f` and kill the stage's own process and DVC with it."""
    child = subprocess.Popen(
        ["dvc", "repro", "-f"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if f"Running stage '{stage}'" in line:
            break
    time.sleep(after)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    # DVC writes its lock file in place, and asks its user to remove one that a kill left empty
    lock = project / ".dvc" / "tmp" / "rwlock"
    if lock.exists() and not lock.read_text():
        lock.unlink()


@pytest.mark.parametrize(("stage", "after"), [("optimize", 1.5)])
def test_the_next_run_after_a_kill_is_right(
    call: Run, project: Path, stage: str, after: float
) -> None:
    killed_in(project, stage, after)
    # the bundle is the old one or the new one, never half of one
    lockgate.open(project / "bundle")
    call("dvc", "repro", cwd=project)
    lockgate.open(project / "bundle")
    status = json.loads(call("dvc", "status", "--json", cwd=project).stdout)
    assert status == {}
