"""The server against FastAPI + scikit-learn, MLServer, BentoML, MLflow and LitServe.

The same fitted pipelines behind each, one worker each, on raw rows with texts and
missing values. All servers of a model run at the same time, frozen (SIGSTOP) while it is not
their turn; turns are interleaved, and a window in which strangers took more than a
tenth of a core is measured again. Needs wrk. `LOCKGATE_PEERS_<NAME>` names a Python
with a peer in it; otherwise environments are made once, below the cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.environments import environment
from benchmarks.peers.serving.requests_of import PEERS, Peer, v2_body
from benchmarks.processes import cpu_seconds, freeze, machine_seconds, memory_mb, stop, thaw

PEER = Path(__file__).parent / "peers" / "serving"
SAME = ("scikit-learn", "pandas", "numpy", "scipy")
MODELS = ("logistic", "boosting", "forest")
POINTS = ((1, 1), (1, 16), (1, 64), (100, 16))
"""Rows of a request, and connections."""

STRANGERS = 0.1
"""Cores that others may take in a window."""

Row = dict[str, Any]


def ours(answer: bytes) -> list[float]:
    said = json.loads(answer)
    return [said["score"]] if "score" in said else list(said["scores"])


def our_body(rows: list[Row]) -> bytes:
    one = {"row": rows[0]} if len(rows) == 1 else {"rows": rows}
    return json.dumps(one).encode()


@dataclasses.dataclass
class Server:
    """One way of serving a model."""

    name: str
    peer: Peer
    command: Callable[[Path, int], list[str]]
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    headers: str = ""
    port: int = 0
    process: Any = None
    first: float = 0.0
    memory: float = 0.0
    windows: dict[tuple[int, int], list[dict[str, Any]]] = dataclasses.field(default_factory=dict)


def lockgate(name: str, peer: Peer, *options: str, headers: str = "") -> Server:
    def command(model: Path, port: int) -> list[str]:
        bundle = str(model.with_suffix(".bundle"))
        return [sys.executable, "-m", "lockgate", "serve", bundle, "--port", str(port), *options]

    state = tempfile.mkdtemp(prefix="lockgate-serving-")
    return Server(name, peer, command, {"XDG_STATE_HOME": state}, headers=headers)


def peer_server(name: str, *options: str, **env: str) -> Server:
    def command(model: Path, port: int) -> list[str]:
        script = str(PEER / f"serve_{name}.py")
        python = str(environment(name, *SAME))
        return [python, script, "--model", str(model), "--port", str(port), *options]

    label = " ".join([name, *options, *(f"{k}={v}" for k, v in env.items())])
    return Server(label, PEERS[name], command, env)


OURS = Peer("/predict", our_body, ours)


def servers(model: str) -> list[Server]:
    """Return all ways of serving a model; OpenMP matters to boosting alone."""
    peers = [
        ("fastapi",),
        ("fastapi", "--inline"),
        ("mlserver", "--batch", "16"),
        ("bentoml",),
        ("mlflow",),
        ("litserve", "--wait", "0"),
    ]
    made = [lockgate("lockgate", OURS), *(peer_server(*one) for one in peers)]
    if model == "boosting":
        made += [peer_server(*one, OMP_NUM_THREADS="1") for one in peers]
    return made


def prepare(folder: Path) -> list[Row]:
    """Fit the pipelines, write them for each server, and return rows to ask."""
    import joblib

    import lockgate as package
    from benchmarks.peers.serving.fit import as_objects, pipelines, table

    frame, target = table()
    for name, pipeline in pipelines().items():
        place = folder / f"{name}.joblib"
        if not place.with_suffix(".bundle").exists():
            pipeline.fit(frame, target)
            joblib.dump(pipeline, place)
            package.pack(pipeline, frame, target, name=name, path=place.with_suffix(".bundle"))
            python = str(environment("mlflow", *SAME))
            words = [python, str(PEER / "serve_mlflow.py"), "--model", str(place), "--prepare-only"]
            subprocess.run(words, check=True)
    return as_objects(frame.head(1000))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ask(server: Server, body: bytes) -> bytes:
    headers = {"content-type": server.peer.content_type}
    headers |= dict(one.split(":", 1) for one in server.headers.split(";") if one)
    url = f"http://127.0.0.1:{server.port}{server.peer.path}"
    request = urllib.request.Request(url, data=body, headers=headers, method=server.peer.method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def start(server: Server, model: Path, rows: list[Row], expected: Any) -> None:
    """Start it, take the time to its first answer, and hold its answers against the model's."""
    server.port = free_port()
    env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"} | server.env
    began = time.perf_counter()
    server.process = subprocess.Popen(
        server.command(model, server.port),
        env=env,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        if server.process.poll() is not None or time.perf_counter() - began > 120:
            raise RuntimeError(f"{server.name} does not start")
        try:
            ask(server, server.peer.body(rows[:1]))
            break
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.005)
    server.first = time.perf_counter() - began
    for count in (1, 100):
        found = server.peer.read(ask(server, server.peer.body(rows[:count])))
        worst = float(np.max(np.abs(np.subtract(found, expected[:count]))))
        if len(found) != count or worst > 1e-12:
            raise RuntimeError(f"{server.name} answers otherwise: {worst}")


def load(server: Server, body: Path, connections: int, seconds: float) -> dict[str, Any]:
    """Ask as fast as it answers, from connections that wait for their answers."""
    words = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}",
        "--timeout",
        "10",
        "-s",
        str(PEER / "post.lua"),
        f"http://127.0.0.1:{server.port}{server.peer.path}",
    ]
    env = os.environ | {"BODY": str(body), "CONTENT_TYPE": server.peer.content_type}
    done = subprocess.run(
        words, env=env | {"HEADERS": server.headers}, check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout.split("RESULT ", 1)[1]))


def window(server: Server, body: Path, connections: int, seconds: float) -> dict[str, Any]:
    """Measure one window, again where strangers disturbed it."""
    thaw(server.process.pid)
    load(server, body, connections, 1)
    for _ in range(4):
        times = os.times()
        before = cpu_seconds(server.process.pid), machine_seconds(), time.perf_counter()
        found = load(server, body, connections, seconds)
        own = cpu_seconds(server.process.pid) - before[0]
        client = sum(os.times()[2:4]) - sum(times[2:4])
        passed = time.perf_counter() - before[2]
        found["strangers"] = (machine_seconds() - before[1] - own - client) / passed
        found["cpu_us"] = own / max(found["requests"], 1) * 1e6
        if found["strangers"] < STRANGERS:
            break
    freeze(server.process.pid)
    return found


def measure(
    model: Path, everyone: list[Server], rows: list[Row], points: Any, seconds: float, rounds: int
) -> None:
    """Measure all servers of a model in turns."""
    import joblib
    import pandas as pd

    expected = joblib.load(model).predict_proba(pd.DataFrame(rows))[:, 1]
    try:
        for server in everyone:
            start(server, model, rows, expected)
            freeze(server.process.pid)
            print(f"{model.stem}: {server.name} answers after {server.first:.2f} s", flush=True)
        for count, connections in points:
            for _ in range(rounds):
                for server in everyone:
                    one_window(server, rows[:count], connections, seconds)
        for server in everyone:
            server.memory = memory_mb(server.process.pid)
    finally:
        for server in everyone:
            if server.process is not None:
                stop(server.process)


def one_window(server: Server, rows: list[Row], connections: int, seconds: float) -> None:
    """Measure one window and keep it."""
    with tempfile.NamedTemporaryFile() as body:
        body.write(server.peer.body(rows))
        body.flush()
        found = window(server, Path(body.name), connections, seconds)
    server.windows.setdefault((len(rows), connections), []).append(found)
    print(server.name, len(rows), connections, found, flush=True)


def rate(server: Server, point: tuple[int, int], what: str = "rps") -> float:
    found = server.windows.get(point)
    return statistics.median(one[what] for one in found) if found else float("nan")


def table_of(model: str, everyone: list[Server]) -> str:
    lines = [
        f"\n### {model}\n",
        "| | 1 row, 1 connection | 16 | 64 | 100 rows, 16 | p50, p99 ms (1 row, 16) | first answer s | PSS MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in everyone:
        cells = [f"{rate(one, point):,.0f}" for point in POINTS]
        times = f"{rate(one, (1, 16), 'p50_ms'):.2f}, {rate(one, (1, 16), 'p99_ms'):.2f}"
        bold = "**" if one.name == "lockgate" else ""
        lines.append(
            f"| {bold}{one.name}{bold} | {' | '.join(cells)} | {times} | {one.first:.2f} | {one.memory:.0f} |"
        )
    mine, others = everyone[0], everyone[1:]
    best = [max((rate(one, p) for one in others), default=float("nan")) for p in POINTS]
    ratios = [f"{rate(mine, p) / b:.1f}x" for p, b in zip(POINTS, best, strict=True)]
    late = min((rate(one, (1, 16), "p99_ms") for one in others), default=float("nan"))
    share = f"p99 {rate(mine, (1, 16), 'p99_ms') / late:.2f} of the best"
    lines.append(f"| against the best of them | {' | '.join(ratios)} | {share} | | |")
    flow = [one for one in others if one.name.startswith("mlflow")]
    if flow:
        ratio = rate(mine, (1, 16)) / max(rate(one, (1, 16)) for one in flow)
        lines.append(f"| against mlflow | | {ratio:.0f}x | | | | | |")
    return "\n".join(lines)


def stack_servers() -> list[Server]:
    """Return the stack by itself, and the server with more and less switched on."""

    def echo(_: Path, port: int) -> list[str]:
        return [str(environment("fastapi", *SAME)), str(PEER / "echo.py"), "--port", str(port)]

    def echoed(answer: bytes) -> list[float]:
        return [float("nan")] if not answer else []

    return [
        Server("uvicorn, raw ASGI echo", Peer("/", our_body, echoed), echo),
        lockgate("lockgate, no log", OURS, "--log", "off"),
        lockgate("lockgate", OURS),
        lockgate("lockgate, log flushed to disk", OURS, "--log", "full"),
        lockgate("lockgate, two workers", OURS, "--workers", "2"),
        lockgate(
            "lockgate, Open Inference Protocol",
            Peer("/v2/models/boosting/infer", v2_plain, v2_scores),
        ),
        lockgate(
            "lockgate, binary tensors",
            Peer("/v2/models/boosting/infer", v2_binary, v2_raw),
            headers=f"inference-header-content-length:{len(v2_head(100))}",
        ),
        lockgate(
            "lockgate, Arrow stream",
            Peer("/predict", arrow_body, ours, content_type="application/vnd.apache.arrow.stream"),
        ),
    ]


def stack(folder: Path, rows: list[Row], seconds: float, rounds: int) -> str:
    """Where a request's time goes, and other forms of 100 rows."""

    everyone = stack_servers()
    points = ((1, 16), (100, 16))
    model = folder / "boosting.joblib"
    lines = [
        "\n### Where the time goes, boosting, 16 connections\n",
        "| | 1 row: requests/s | CPU µs a request | p99 ms | 100 rows: requests/s |",
        "|---|---|---|---|---|",
    ]
    try:
        for one in everyone:
            start_unchecked(one, model, rows)
        for count, connections in points:
            for _ in range(rounds):
                for one in everyone:
                    if count == 100 or not ("binary" in one.name or "Arrow" in one.name):
                        one_window(one, rows[:count], connections, seconds)
        filled = filled_rows(everyone[2], rows[0], seconds, max(rounds, 3))
        quiet, busy = neighbour(everyone[2], rows, seconds)
    finally:
        for one in everyone:
            if one.process is not None:
                stop(one.process)
    for one in everyone:
        lines.append(
            f"| {one.name} | {rate(one, (1, 16)):,.0f} | {rate(one, (1, 16), 'cpu_us'):.1f} | "
            f"{rate(one, (1, 16), 'p99_ms'):.2f} | {rate(one, (100, 16)):,.0f} |".replace("nan", "")
        )
    echo, plain = rate(everyone[0], (1, 16)), rate(everyone[2], (1, 16))
    lines.append(f"\nOne row, log on, against the echo: {plain / echo:.2f} (goal 0.65).\n")
    lines += [
        "| one row, 16 connections | requests/s | of a plain row (goal 0.9) |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {r:,.0f} | {r / filled['plain']:.2f} |" for name, r in filled.items()]
    lines.append(
        f"\nWith a neighbour that keeps one of the cores busy: {busy:,.0f} requests/s of "
        f"{quiet:,.0f} ({busy / quiet:.0%}; goal 80 %)."
    )
    return "\n".join(lines)


def start_unchecked(server: Server, model: Path, rows: list[Row]) -> None:
    import joblib
    import pandas as pd

    if "echo" in server.name:
        expected = np.array([])
        server.peer = dataclasses.replace(server.peer, read=lambda _: [0.0] * 100)
        _start_echo(server, model, rows)
        return
    expected = joblib.load(model).predict_proba(pd.DataFrame(rows))[:, 1]
    if "binary" in server.name or "Arrow" in server.name:
        one, body = server.peer, server.peer.body
        server.peer = dataclasses.replace(
            one, body=lambda _: body(rows[:100]), read=lambda raw: one.read(raw)
        )
        _start_batch(server, model, rows, expected)
        server.peer = one
    else:
        start(server, model, rows, expected)
    freeze(server.process.pid)


def _start_echo(server: Server, model: Path, rows: list[Row]) -> None:
    server.port = free_port()
    server.process = subprocess.Popen(
        server.command(model, server.port), start_new_session=True, stdout=subprocess.DEVNULL
    )
    _first(server, rows)
    freeze(server.process.pid)


def _start_batch(server: Server, model: Path, rows: list[Row], expected: Any) -> None:
    server.port = free_port()
    server.process = subprocess.Popen(
        server.command(model, server.port),
        start_new_session=True,
        env=os.environ | server.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found = server.peer.read(_first(server, rows))
    worst = float(np.max(np.abs(np.subtract(found, expected[:100]))))
    if worst > 1e-12:
        raise RuntimeError(f"{server.name} answers otherwise: {worst}")


def _first(server: Server, rows: list[Row]) -> bytes:
    for _ in range(2000):
        try:
            return ask(server, server.peer.body(rows[:1]))
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
    raise RuntimeError(f"{server.name} does not start")


def filled_rows(server: Server, row: Row, seconds: float, rounds: int) -> dict[str, float]:
    """Return requests a second of rows with missing cells and unknown categories, in turns."""
    other = {
        "plain": row,
        "a missing number": row | {"n2": None},
        "an unknown category": row | {"region": "region_99"},
        "both, and three missing": row | {"n2": None, "n5": None, "n0": None, "product": "new"},
    }
    found: dict[str, list[float]] = {name: [] for name in other}
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        for _ in range(rounds):
            for name, cells in other.items():
                body.write_bytes(server.peer.body([cells]))
                found[name].append(window(server, body, 16, seconds)["rps"])
    return {name: statistics.median(rates) for name, rates in found.items()}


def neighbour(server: Server, rows: list[Row], seconds: float) -> tuple[float, float]:
    """Return requests a second without and with a process that keeps a core busy."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(server.peer.body(rows[:1]))
        for busy in (False, True):
            other = None
            if busy:
                other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            thaw(server.process.pid)
            found.append(load(server, body, 16, seconds)["rps"])
            freeze(server.process.pid)
            if other is not None:
                other.kill()
                other.wait()
    return found[0], found[1]


def v2_plain(rows: list[Row]) -> bytes:
    """Return the peer's request without the outputs and content types that are MLServer's own."""
    said = json.loads(v2_body(rows))
    return json.dumps({"inputs": said["inputs"]}).encode()


def v2_scores(answer: bytes) -> list[float]:
    return list(json.loads(answer)["outputs"][1]["data"])


def _v2_columns(rows: list[Row]) -> list[tuple[str, str, bytes]]:
    made = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        if any(isinstance(one, str) for one in values):
            raw = b"".join(len(v.encode()).to_bytes(4, "little") + v.encode() for v in values)
            made.append((name, "BYTES", raw))
        else:
            made.append((name, "FP64", np.array(values, dtype=float).tobytes()))
    return made


HEAD: dict[int, bytes] = {}


def v2_head(count: int) -> bytes:
    """Return the JSON of a binary request; it depends on the number of rows alone."""
    if count not in HEAD:
        from benchmarks.peers.serving.fit import as_objects, table

        rows = as_objects(table()[0].head(1000))[:count]
        inputs = [
            {
                "name": name,
                "datatype": kind,
                "shape": [count, 1],
                "parameters": {"binary_data_size": len(raw)},
            }
            for name, kind, raw in _v2_columns(rows)
        ]
        said = {"inputs": inputs, "parameters": {"binary_data_output": True}}
        HEAD[count] = json.dumps(said).encode()
    return HEAD[count]


def v2_binary(rows: list[Row]) -> bytes:
    return v2_head(len(rows)) + b"".join(raw for _, _, raw in _v2_columns(rows))


def v2_raw(answer: bytes) -> list[float]:
    return list(np.frombuffer(answer[-800:], float))


def arrow_body(rows: list[Row]) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pylist(rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def report(seconds: float = 8, rounds: int = 1, names: tuple[str, ...] = MODELS) -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "lockgate-peers" / "models"
    folder.mkdir(parents=True, exist_ok=True)
    rows = prepare(folder)
    parts = [
        "\n## Serving\n",
        "Requests a second with wrk on the same cores, one worker each, raw rows in JSON (8 numbers,",
        "2 of them with missing values, 2 texts) to probabilities; lockgate with its prediction log, ids and",
        "counts on. `--inline`: `async def`; `--batch 16`: adaptive batching of 16 in 5 ms; LitServe with",
        "`--wait 0` batches what is there, up to 16 (faster here than waiting); BentoML batches by itself.",
        "`OMP_NUM_THREADS=1` was measured for boosting, the one model that OpenMP matters to.",
    ]
    for name in names:
        everyone = servers(name)
        measure(folder / f"{name}.joblib", everyone, rows, POINTS, seconds, rounds)
        parts.append(table_of(name, everyone))
    parts.append(stack(folder, rows, seconds, rounds))
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    text = report(options.seconds, options.rounds, tuple(options.models))
    print(text)
    if options.write:
        page = Path(__file__).parents[1] / "docs" / "benchmarks.md"
        before = page.read_text(encoding="utf-8").partition("\n## Serving\n")[0]
        page.write_text(before.rstrip() + "\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main()
