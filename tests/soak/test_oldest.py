"""Packing works on the oldest supported releases of what it is made for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

OLDEST = {
    "scikit-learn": "1.6.1",
    "pandas": "2.2.3",
    "scipy": "1.14.1",
    "numpy": "2.1.0",
    "pyarrow": "18.0.0",
    "skops": "0.11.0",
    "msgspec": "0.19.0",
    "click": "8.1.0",
    "pluggy": "1.5.0",
}
BESIDES = (
    "array-api-strict",
    "hatchling",
    "hypothesis",
    "pytest<9",
    "pytest-timeout",
    "pyyaml",
    "tqdm",
    "threadpoolctl",
)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"), reason="builds an environment of old releases: make soak"
)
def test_every_model_is_packed_on_the_oldest_releases(tmp_path: Path) -> None:
    python = tmp_path / "old" / "bin" / "python"
    pinned = [f"{name}=={version}" for name, version in OLDEST.items()]
    for words in (
        [sys.executable, "-m", "venv", str(tmp_path / "old")],
        [str(python), "-m", "pip", "install", "-q", *pinned, *BESIDES],
        [str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", str(ROOT)],
    ):
        subprocess.run(words, check=True)
    done = subprocess.run(
        [
            str(python),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/models/packing",
            "tests/golden",
            "tests/models/packed",
            "--deselect",
            "tests/models/packing/test_determinism.py",
        ],
        cwd=ROOT,
        env={**os.environ, "LOCKGATE_SOAK": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
