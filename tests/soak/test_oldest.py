"""Packing works on the supported releases of what it is made for, the oldest first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLUGIN = ROOT / "plugins" / "lockgate-treelite"

RELEASES = {
    "oldest": {
        "scikit-learn": "1.6.1",
        "pandas": "2.2.3",
        "scipy": "1.14.1",
        "numpy": "2.1.0",
        "pyarrow": "18.0.0",
        "skops": "0.11.0",
        "msgspec": "0.19.0",
        "click": "8.1.0",
        "pluggy": "1.5.0",
    },
    "1.7": {"scikit-learn": "1.7.2", "pandas": "2.3.3", "scipy": "1.15.3", "numpy": "2.2.6"},
    "1.8": {"scikit-learn": "1.8.0", "pandas": "2.3.3", "scipy": "1.16.3", "numpy": "2.3.5"},
}
BESIDES = (
    "array-api-strict",
    "hatchling",
    "hypothesis",
    "lightgbm",
    "pluggy",
    "pyarrow",
    "pytest<9",
    "pytest-timeout",
    "pyyaml",
    "ruamel.yaml",
    "skops",
    "tqdm",
    "treelite",
    "threadpoolctl",
)


@pytest.mark.slow
@pytest.mark.timeout(6000)
@pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"), reason="builds an environment of old releases: make soak"
)
@pytest.mark.parametrize("release", RELEASES)
def test_every_model_is_packed_on_other_releases(release: str, tmp_path: Path) -> None:
    python = tmp_path / "old" / "bin" / "python"
    pinned = [f"{name}=={version}" for name, version in RELEASES[release].items()]
    besides = [name for name in BESIDES if name not in RELEASES[release]]
    pip = [str(python), "-m", "pip", "install", "-q"]
    for words in (
        [sys.executable, "-m", "venv", str(tmp_path / "old")],
        [*pip, *pinned, *besides],
        [*pip, "--no-deps", "--no-build-isolation", str(ROOT), str(PLUGIN)],
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
            "tests/golden/test_golden.py",
            "tests/models/packed",
            "--deselect",
            "tests/models/packing/test_determinism.py",
            "--deselect",  # imports the pipeline, whose libraries are not needed here
            "tests/models/packing/test_trusted_types.py",
        ],
        cwd=ROOT,
        env=dict(os.environ),  # 20,000 plain and 20,000 awkward rows of each model
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
