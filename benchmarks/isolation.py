"""Do large requests make others wait? Every way to send rows, beside eight quiet clients.

    python -m benchmarks.isolation

One worker serves a boosted model of ten columns, with the prediction log on. A client, a process
of its own, sends the largest bodies that the limits allow: valid ones, ones that are refused at
their last row, and ones that are not rows at all. Eight others send a row every 20 ms, and their
times are measured.
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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

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

JSON = "application/json"

Table = list[list[Any]]


@dataclass(frozen=True)
class Body:
    """A request: its path, content and headers."""

    path: str
    content: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON})


def pack(folder: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(4000, 10)), columns=NAMES)
    target = (frame["x0"] * frame["x1"] + rng.normal(size=4000) > 0).astype(int)
    model = HistGradientBoostingClassifier(max_iter=200, early_stopping=False, random_state=0)
    lockgate.pack(model.fit(frame, target), frame, target, name="m", path=folder)


def by_column(rows: Table) -> dict[str, tuple[Any, ...]]:
    return dict(zip(NAMES, zip(*rows, strict=True), strict=True))


def tensor(name: str, rows: int, **content: Any) -> dict[str, Any]:
    return {"name": name, "shape": [rows], "datatype": "FP64", **content}


JSON_PATHS: dict[str, tuple[str, Callable[[Table], Any]]] = {
    "rows as objects": (
        "/predict",
        lambda rows: {"rows": [dict(zip(NAMES, row, strict=True)) for row in rows]},
    ),
    "rows as lists": ("/predict", lambda rows: {"rows": rows}),
    "columns": ("/predict", lambda rows: {"columns": by_column(rows)}),
    "v2 JSON": (
        "/v2/models/m/infer",
        lambda rows: {
            "inputs": [tensor(name, len(rows), data=c) for name, c in by_column(rows).items()]
        },
    ),
    "v2 JSON, a matrix": (
        "/v2/models/m/infer",
        lambda rows: {
            "inputs": [
                tensor("x", 0, data=[cell for row in rows for cell in row])
                | {"shape": [len(rows), len(NAMES)]}
            ]
        },
    ),
    "MLflow": ("/invocations", lambda rows: {"dataframe_split": {"columns": NAMES, "data": rows}}),
    "MLflow, records": (
        "/invocations",
        lambda rows: {"dataframe_records": [dict(zip(NAMES, row, strict=True)) for row in rows]},
    ),
}
"""Path, and what makes the JSON of rows, by name."""


def bodies(predicted: str) -> dict[str, Body]:
    """Requests by name; `predicted` is the id of a prediction of 10,000 rows."""
    cells = np.random.default_rng(1).normal(size=(ROWS, 10)).tolist()
    built: dict[str, Body] = {}
    for end, last in (("", cells[-1]), (", refused", [*cells[-1][:9], "bad"])):
        table = [*cells[:-1], last]
        for name, (path, make) in JSON_PATHS.items():
            built[name + end] = Body(path, _fit(make, table))
        built[f"CSV{end}"] = _csv(table)
        built[f"Arrow{end}"] = _arrow(table)
        built[f"v2 binary{end}"] = _binary(cells, refused=bool(end))
        labels = [{"id": f"{predicted}.{k}", "label": k % 2} for k in range(10_000)]
        labels[-1]["label"] = 7 if end else 1
        built[f"feedback{end}"] = Body("/feedback", json.dumps({"labels": labels}).encode())
    for unit in (b"1", b"{}", b"[]"):
        rows = b'{"rows":[' + unit + (b"," + unit) * (BODY // (len(unit) + 1) - 20) + b"]}"
        built[f"rows of {unit.decode()}, refused"] = Body("/predict", rows)
    wide = json.dumps({"row": {f"y{k}": 0.5 for k in range(1_000_000)}}).encode()
    built["a row of a million columns, refused"] = Body("/predict", wide[:BODY])
    return dict(sorted(built.items()))


def _fit(make: Callable[[Table], Any], table: Table) -> bytes:
    """Return the JSON of as many of the last rows as fit into a body."""
    count = len(table)
    while True:
        body = json.dumps(make(table[-count:])).encode()
        if len(body) <= BODY:
            return body
        count = int(count * BODY / len(body) * 0.98)


def _csv(table: Table) -> Body:
    lines = "".join(",".join(map(str, row)) + "\n" for row in table)
    content = (",".join(NAMES) + "\n").encode() + lines[-BODY + 100 :].partition("\n")[2].encode()
    return Body("/predict", content, {"content-type": "text/csv"})


def _arrow(table: Table) -> Body:
    """Return a stream of numbers; of texts, where the last row is refused."""
    convert = str if table[-1][-1] == "bad" else float
    arrow = pa.table({name: pa.array(map(convert, c)) for name, c in by_column(table).items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    return Body("/predict", sink.getvalue().to_pybytes()[:BODY], headers)


def _binary(cells: Table, *, refused: bool) -> Body:
    columns = np.array(cells).T.copy()
    if refused:
        columns[-1, -1] = np.inf
    tensors = [
        tensor(name, ROWS, parameters={"binary_data_size": column.nbytes})
        for name, column in zip(NAMES, columns, strict=True)
    ]
    head = json.dumps({"inputs": tensors}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    content_type = {"content-type": "application/octet-stream"}
    return Body("/v2/models/m/infer", head + columns.tobytes(), content_type | headers)


def send(port: int, path: str, headers: dict[str, str], content: bytes | Path) -> tuple[int, bytes]:
    body = content.read_bytes() if isinstance(content, Path) else content
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    reply = answer.read()
    connection.close()
    return answer.status, reply


def send_repeatedly(
    port: int, path: str, headers: dict[str, str], content: Path, repeats: int
) -> set[int]:
    """Send a request from another process, so that the quiet clients are not disturbed."""
    return {send(port, path, headers, content)[0] for _ in range(repeats)}


def quiet(port: int, stop: threading.Event, seconds: list[float], row: dict[str, float]) -> None:
    """Send a row every 20 ms, and note how long each takes."""
    body = json.dumps({"row": row})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while not stop.is_set():
        started = time.perf_counter()
        connection.request("POST", "/predict", body, {"content-type": JSON})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        seconds.append(time.perf_counter() - started)
        stop.wait(0.02)
    connection.close()


def measure(
    port: int, body: Body | None, folder: Path, pool: ProcessPoolExecutor, repeats: int
) -> tuple[str, np.ndarray]:
    """Return the status of large requests, and the times of the quiet clients in milliseconds."""
    content = folder / "content"
    content.write_bytes(b"" if body is None else body.content)
    stop = threading.Event()
    times: list[list[float]] = [[] for _ in range(CLIENTS)]
    row = dict(zip(NAMES, np.linspace(-1, 1, 10).tolist(), strict=True))
    threads = [threading.Thread(target=quiet, args=(port, stop, seconds, row)) for seconds in times]
    for thread in threads:
        thread.start()
    time.sleep(WARM_SECONDS if body else ALONE_SECONDS)
    status: set[int] = set()
    if body is not None:
        sending = pool.submit(send_repeatedly, port, body.path, body.headers, content, repeats)
        status = sending.result()
        time.sleep(WARM_SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    return "/".join(map(str, sorted(status))), 1000 * np.concatenate(times)


def report(repeats: int = 5, only: str = "") -> str:
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
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(1) as pool:
        folder = Path(name)
        pack(folder / "bundle")
        serve = [sys.executable, "-m", "lockgate", "serve", str(folder / "bundle")]
        environment = {"XDG_STATE_HOME": name, "HOME": name, "PATH": "/usr/bin:/bin"}
        with subprocess.Popen(
            [*serve, "--port", str(port)], stderr=subprocess.DEVNULL, env=environment
        ) as server:
            try:
                _wait(port)
                rows = json.dumps({"rows": [[0.5] * 10] * 10_000}).encode()
                predicted = send(port, "/predict", {"content-type": JSON}, rows)[1]
                large = bodies(json.loads(predicted)["id"])
                for label, body in {"none": None, **large}.items():
                    if only not in label:
                        continue
                    status, times = measure(port, body, folder, pool, repeats)
                    size = 0 if body is None else len(body.content) / (1 << 20)
                    lines.append(
                        f"| {label} | {status} | {size:.1f} | {np.median(times):.1f} "
                        f"| {np.quantile(times, 0.999):.0f} | {times.max():.0f} |"
                    )
                    print(lines[-1], flush=True)
            finally:
                server.terminate()
    return "\n".join([*lines, ""])


def _wait(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if send(port, "/predict", {"content-type": JSON}, b"{}"):
                return
        except OSError:
            time.sleep(0.1)  # until it listens
    raise RuntimeError("the server does not answer")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="paths whose names contain this")
    options = parser.parse_args()
    print(report(options.repeats, options.only))
