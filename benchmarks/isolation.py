"""Do large requests make others wait? Every way to send rows, beside eight quiet clients.

    python -m benchmarks.isolation

One worker serves a boosted model of ten columns, with the prediction log on. A client sends the
largest bodies that the limits allow, valid ones and ones that are refused at their last row; eight
others send a row every 20 ms, and their times are measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lockgate

BODY = 16 << 20
ROWS = 100_000
CLIENTS = 8
WARM_SECONDS = 0.3
"""Time of the quiet clients before and after the large requests."""

ALONE_SECONDS = 3.0
"""Time of the quiet clients without any."""

NAMES = [f"x{k}" for k in range(10)]

GOAL = "others' p99.9 <= 50 ms, worst <= 250 ms"


def pack(folder: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(4000, 10)), columns=NAMES)
    target = (frame["x0"] * frame["x1"] + rng.normal(size=4000) > 0).astype(int)
    model = HistGradientBoostingClassifier(max_iter=200, early_stopping=False, random_state=0)
    lockgate.pack(model.fit(frame, target), frame, target, name="m", path=folder)


Table = list[list[Any]]

PATHS: dict[str, tuple[str, Callable[[Table], Any]]] = {
    "rows as objects": (
        "/predict",
        lambda rows: {"rows": [dict(zip(NAMES, row, strict=True)) for row in rows]},
    ),
    "rows as lists": ("/predict", lambda rows: {"rows": rows}),
    "columns": (
        "/predict",
        lambda rows: {"columns": dict(zip(NAMES, zip(*rows, strict=True), strict=True))},
    ),
    "v2 JSON": (
        "/v2/models/m/infer",
        lambda rows: {
            "inputs": [
                {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": column}
                for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)
            ]
        },
    ),
    "MLflow": (
        "/invocations",
        lambda rows: {"dataframe_split": {"columns": NAMES, "data": rows}},
    ),
}
"""Path, and what makes the JSON of rows, by name."""


def bodies() -> dict[str, tuple[str, str, bytes]]:
    """Path, content type and body by name: as many rows as fit, and the same with a bad last row."""
    cells = np.random.default_rng(1).normal(size=(ROWS, 10)).tolist()
    built = {}
    for end, last in (("", cells[-1]), (", refused", [*cells[-1][:9], "bad"])):
        table = [*cells[:-1], last]
        for name, (path, make) in PATHS.items():
            built[name + end] = (path, "application/json", _fit(make, table))
        lines = "".join(",".join(map(str, row)) + "\n" for row in table)
        csv = (",".join(NAMES) + "\n").encode() + lines[-BODY + 100 :].partition("\n")[2].encode()
        built[f"CSV{end}"] = ("/predict", "text/csv", csv)
    return dict(sorted(built.items()))


def _fit(make: Callable[[Table], Any], table: Table) -> bytes:
    """Return the JSON of as many of the last rows as fit into a body."""
    count = len(table)
    while True:
        body = json.dumps(make(table[-count:])).encode()
        if len(body) <= BODY:
            return body
        count = int(count * BODY / len(body) * 0.98)


def send(port: int, path: str, kind: str, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", path, body, {"content-type": kind})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def quiet(port: int, stop: threading.Event, seconds: list[float], row: dict[str, float]) -> None:
    """Send a row every 20 ms, and note how long each takes."""
    body = json.dumps({"row": row})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while not stop.is_set():
        started = time.perf_counter()
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        seconds.append(time.perf_counter() - started)
        stop.wait(0.02)
    connection.close()


def measure(port: int, path: str, kind: str, body: bytes, repeats: int) -> tuple[str, np.ndarray]:
    stop = threading.Event()
    times: list[list[float]] = [[] for _ in range(CLIENTS)]
    row = dict(zip(NAMES, np.linspace(-1, 1, 10).tolist(), strict=True))
    threads = [threading.Thread(target=quiet, args=(port, stop, seconds, row)) for seconds in times]
    for thread in threads:
        thread.start()
    time.sleep(WARM_SECONDS)
    status = [send(port, path, kind, body) for _ in range(repeats)] if body else []
    time.sleep(WARM_SECONDS if body else ALONE_SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    return "/".join(map(str, sorted(set(status)))), 1000 * np.concatenate(times)


def report(repeats: int = 5) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [
        "## Isolation: other clients while the largest bodies are answered\n",
        f"Boosting of 200 trees, one worker, log on; {CLIENTS} clients with a row every 20 ms; "
        f"bodies of at most 16 MiB, {repeats} of each. Goal: {GOAL}.\n",
        "| large requests | status | MiB | others' median ms | p99.9 | worst |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        pack(Path(folder) / "bundle")
        serve = [sys.executable, "-m", "lockgate", "serve", str(Path(folder) / "bundle")]
        environment = {"XDG_STATE_HOME": folder, "HOME": folder, "PATH": "/usr/bin:/bin"}
        with subprocess.Popen(
            [*serve, "--port", str(port)], stderr=subprocess.DEVNULL, env=environment
        ) as server:
            try:
                _wait(port)
                for name, (path, kind, body) in {"none": ("", "", b""), **bodies()}.items():
                    status, times = measure(port, path, kind, body, repeats)
                    lines.append(
                        f"| {name} | {status} | {len(body) / (1 << 20):.1f} "
                        f"| {np.median(times):.1f} | {np.quantile(times, 0.999):.0f} "
                        f"| {times.max():.0f} |"
                    )
                    print(lines[-1], flush=True)
            finally:
                server.terminate()
    return "\n".join([*lines, ""])


def _wait(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if send(port, "/predict", "application/json", b"{}"):
                return
        except OSError:
            time.sleep(0.1)  # until it listens
    raise RuntimeError("the server does not answer")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    print(report(parser.parse_args().repeats))
