"""The stage server: the same stages, faster, and nothing lost when it goes wrong."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.conftest import environment

from lockgate.pipeline.stage_server import SOCKET_VARIABLE, stage_server

pytestmark = pytest.mark.slow


def stage(project: Path, name: str, **extra: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["lockgate", "stage", name],
        cwd=project,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def forked() -> list[int]:
    """Processes that our stage server has forked: its children."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if b"lockgate.cli.stage_server" in line:
                found.append((int(entry.name), parent))
    servers = {pid for pid, parent in found if parent == os.getpid()}
    return [pid for pid, parent in found if parent in servers]


def test_a_stage_does_the_same_in_the_warm_process(project: Path) -> None:
    facts = project / "data" / "prepared" / "facts.json"
    before = facts.read_bytes()
    facts.unlink()
    with stage_server("lockgate.cli.stage_server") as told:
        child = stage(project, "load", **told)
        words = child.communicate(timeout=60)[1]
    assert child.returncode == 0, words
    assert "569 rows" in words
    assert facts.read_bytes() == before


def test_errors_and_exit_codes_come_through(project: Path) -> None:
    (project / "data" / "raw" / "tumours.csv").unlink()
    with stage_server("lockgate.cli.stage_server") as told:
        child = stage(project, "load", **told)
        words = child.communicate(timeout=60)[1]
    assert child.returncode == 2
    assert "tumours.csv is missing" in words
    assert "Traceback" not in words


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "PYTHONHASHSEED"])
def test_a_stage_with_other_variables_runs_on_its_own(project: Path, variable: str) -> None:
    with stage_server("lockgate.cli.stage_server") as told:
        child = stage(project, "load", **told, **{variable: "3"})
        words = child.communicate(timeout=60)[1]
    assert child.returncode == 0, words


def test_a_stale_place_is_no_trouble(project: Path) -> None:
    child = stage(project, "load", **{SOCKET_VARIABLE: "/nonexistent/socket"})
    words = child.communicate()[1]
    assert child.returncode == 0, words


def test_a_killed_client_takes_its_stage_with_it(project: Path) -> None:
    with stage_server("lockgate.cli.stage_server") as told:
        first = stage(project, "load", **told)
        first.communicate()
        child = stage(project, "optimize", **told)
        deadline = time.monotonic() + 20
        while not forked() and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        while forked() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not forked()
        # and the process serves the next one
        again = stage(project, "load", **told)
        words = again.communicate()[1]
        assert again.returncode == 0, words
