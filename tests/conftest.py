"""Projects to test on: real ones, made by the commands a user types."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.shared_folder import shared_folder

# two workers share two cores, and OpenMP collapses where threads outnumber cores
os.environ["OMP_THREAD_LIMIT"] = "1"

# timing never decides a test, and `make test` is the same every time; LOCKGATE_SOAK explores
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=2000)
settings.load_profile("soak" if os.environ.get("LOCKGATE_SOAK") else "steady")

if os.environ.get("LOCKGATE_SOAK"):
    # hooks of this conftest: a soak goes on where it was interrupted
    from tests.soak.resume import pytest_collection_modifyitems, pytest_runtest_logreport  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**extra: str) -> dict[str, str]:
    """The environment of a user who has activated .venv."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    names = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
    names |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
    return {**os.environ, **names, "PATH": path, "DVC_NO_ANALYTICS": "1", **extra}


@pytest.fixture(scope="session")
def call() -> Run:
    """Run a command as a user does; say what it printed if it fails."""

    def run(
        *words: str, cwd: Path, code: int | None = 0, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, cwd=cwd, env=environment(**extra), capture_output=True, text=True, check=False
        )
        if code is not None:
            assert done.returncode == code, (
                f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, call: Run) -> Path:
    """A project made by `lockgate init`, run once to its end and committed."""

    def fill(folder: Path) -> None:
        root = folder / "tumours"
        call("lockgate", "init", str(root), cwd=folder)
        call("lockgate", "run", cwd=root)
        call("git", "add", "-A", cwd=root)
        call("git", "commit", "-qm", "first", cwd=root)

    return shared_folder(tmp_path_factory, "run", fill) / "tumours"


@pytest.fixture
def project(made: Path, tmp_path: Path, call: Run) -> Path:
    """A copy of that project, its stages done, to break at will."""
    root = tmp_path / "project"
    subprocess.run(["cp", "-r", str(made), str(root)], check=True)
    return root


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter of this environment."""
    return sys.executable


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests explored."""
    lines = [
        str(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in getattr(report, "user_properties", [])
        if name == "explored"
    ]
    if lines:
        terminalreporter.section("explored")
        for line in sorted(lines):
            terminalreporter.write_line(line)
