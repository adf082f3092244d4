"""A new project, created once and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lockgate.pipeline.scaffold import create_project


@pytest.fixture(scope="session")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project."""
    return create_project(tmp_path_factory.mktemp("created") / "shop").directory


@pytest.fixture
def fresh(created: Path, tmp_path: Path) -> Path:
    """A copy of a new project, in which nothing ran."""
    return Path(shutil.copytree(created, tmp_path / "shop"))
