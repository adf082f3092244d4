"""Lets `make soak` go on where it was interrupted: tests that passed on this commit are left out.

The passed tests of a commit are listed in ``build/soak/COMMIT.txt``; delete the file to run all of
them again. A work tree with changes has no list.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@cache
def passed_list() -> Path | None:
    """Return the file of this commit, or None where the work tree has changes."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit or git("status", "--porcelain"):
        return None
    path = ROOT / "build" / "soak" / f"{commit}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what passed before."""
    path = passed_list()
    if path is None or not path.is_file():
        return
    passed = set(path.read_text(encoding="utf-8").splitlines())
    left_out = [item for item in items if item.nodeid in passed]
    if left_out:
        items[:] = [item for item in items if item.nodeid not in passed]
        config.hook.pytest_deselected(items=left_out)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what passes; with several workers, only their controller does."""
    path = passed_list()
    if path is not None and report.when == "call" and report.passed and hasattr(report, "node"):
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")
