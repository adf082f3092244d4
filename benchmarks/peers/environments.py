"""Makes and finds the peers' environments; an environment is made once and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["environment"]

PACKAGES = {
    "onnx": ["onnxruntime", "skl2onnx", "onnxmltools", "lightgbm", "joblib"],
    "fastapi": ["fastapi==0.165.0", "uvicorn", "uvloop", "httptools", "joblib"],
    "mlserver": ["mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop<0.22", "joblib"],
    "bentoml": ["bentoml==1.4.39", "joblib"],
    "mlflow": ["mlflow==3.17.2", "joblib"],
    "litserve": ["litserve==0.2.19", "joblib"],
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
