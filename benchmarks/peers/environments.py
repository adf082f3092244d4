"""Makes and finds the peers' environments; an environment is made once and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["environment"]

PACKAGES = {
    "onnx": ["onnxruntime", "skl2onnx", "onnxmltools", "lightgbm", "joblib"],
}


def environment(name: str, *same: str) -> Path:
    """Return the Python of a peer's environment, with the same versions of some packages as here."""
    from importlib.metadata import version

    asked = os.environ.get(f"LOCKGATE_PEERS_{name.upper()}")
    if asked:
        return Path(asked)
    folder = (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lockgate-peers" / name
    )
    python = folder / "bin" / "python"
    if not python.exists():
        pinned = [f"{one}=={version(one)}" for one in same]
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", *pinned, *PACKAGES[name]], check=True
        )
    return python
