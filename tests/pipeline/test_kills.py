"""A stage that is killed in the middle: the next run is right."""

import contextlib
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


def kill_during(project: Path, line: str, *, loaded: str = "", after: float = 0.0) -> None:
    """Start `dvc repro -f`, and kill DVC and the stage's process some seconds after it
    printed the line, or after the stage named `loaded` has then loaded pandas.
    """
    child = subprocess.Popen(
        ["dvc", "repro", "-f"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    printed = []
    for text in child.stdout:
        printed.append(text)
        if line in text:
            break
    else:
        pytest.fail("".join(printed))
    while loaded and not has_pandas(child.pid, f"stage\0{loaded}\0"):
        assert child.poll() is None, f"{loaded} ended unseen"
        time.sleep(0.01)
    time.sleep(after)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


def has_pandas(session: int, command: str) -> bool:
    """Whether a process of the session, with that end of its command line, has loaded pandas."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if (process / "cmdline").read_text().endswith(command):
                pid = int(process.name)
                return os.getsid(pid) == session and "pandas" in (process / "maps").read_text()
    return False


def test_the_next_run_after_a_kill_is_right(call: Run, project: Path) -> None:
    kill_during(project, "trials: ")  # a quarter of the search is done
    # the bundle is the old one or the new one, never half of one
    lockgate.open(project / "bundle")
    call("lockgate", "run", cwd=project)
    lockgate.open(project / "bundle")
    status = json.loads(call("dvc", "status", "--json", cwd=project).stdout)
    assert status == {}
