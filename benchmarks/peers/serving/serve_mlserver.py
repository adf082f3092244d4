"""Serve a fitted pipeline with MLServer's own scikit-learn runtime.

Mixed columns need no runtime of ours: with the ``pd`` content type MLServer makes a frame of the
named inputs, and the request asks for ``predict_proba``. A throw-away folder holds the settings.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_settings(folder: Path, model: Path, port: int, workers: int, batch: int) -> None:
    server = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "metrics_dir": str(folder / "metrics"),
        "parallel_workers": workers,
    }
    served: dict[str, Any] = {
        "name": "model",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model), "content_type": "pd"},
    }
    if batch > 1:
        served |= {"max_batch_size": batch, "max_batch_time": 0.005}
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(served))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=0, help="MLServer's parallel_workers")
    parser.add_argument("--batch", type=int, default=1, help="adaptive batching of so many")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mlserver-"))
    (folder / "metrics").mkdir()
    model = options.model.resolve()
    write_settings(folder, model, options.port, options.workers, options.batch)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.chdir(folder)
    os.execvp("mlserver", ["mlserver", "start", str(folder)])


if __name__ == "__main__":
    main()
