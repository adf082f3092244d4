"""A new project, created once and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lockgate.pipeline.scaffold import create_project
from tests.shared_folder import shared_folder


@pytest.fixture(scope="session")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project."""

    def fill(folder: Path) -> None:
        create_project(folder / "shop")

    return shared_folder(tmp_path_factory, "created", fill) / "shop"


@pytest.fixture
def fresh(created: Path, tmp_path: Path) -> Path:
    """A copy of a new project, in which nothing ran."""
    return Path(shutil.copytree(created, tmp_path / "shop"))
