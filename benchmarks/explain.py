"""Explanations of packed models, beside LightGBM's `pred_contrib` on the same model, on flights.

One thread; ways are timed in turn, round after round, in one run; figures are medians. A row is
explained from its cells as the model reads them; LightGBM gets its matrix.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import functools
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from benchmarks.models import CATEGORIES, before, flights, models
from benchmarks.processes import stop
from lockgate.models.packed.explanation.explainer import Explainer
from lockgate.models.packed.runtime.model import PackedModel

TRAINING_ROWS = {"boosting": 188_971, "LightGBM": 188_971, "forest": 40_000, "logistic": 40_000}
ROWS = 1000
ROUNDS = 200
"""Rows that are explained one by one."""

WIDTHS = (13, 50)
GOALS = {
    "boosting": ("≤ 80", "≤ 120"),
    "LightGBM": ("≤ 80", "≤ 120"),
    "forest": ("≤ 2,000", "≤ 4,000"),
    "logistic": ("≤ 10", ""),
}


def rows_of(width: int, count: int) -> tuple[Any, np.ndarray]:
    """Return rows with gaps and categories; beyond those of flights, columns without meaning."""
    frame, target = flights()
    frame, target = frame.head(count).copy(), target[:count]
    rng = np.random.default_rng(0)
    for k in range(width - frame.shape[1]):
        column = rng.normal(size=len(frame))
        column[rng.random(len(frame)) < 0.05] = np.nan
        frame.insert(0, f"extra_{k}", column)
    return frame, target


@functools.cache
def explainers(name: str, width: int) -> tuple[Any, Any, PackedModel, list[Any], list[Any]]:
    """Fit and pack a model; return the rows, the pipeline, the model, cells and a reference."""
    import lockgate
    from lockgate.data.columns.parsing import read_columns
    from lockgate.models.bundle.reference_row import make_reference_row
    from lockgate.models.packing.pack import packed_bytes

    frame, target = rows_of(width, TRAINING_ROWS[name])
    pipe = make_pipeline(before(name, frame), models()[name]).fit(frame, target)
    kinds = {column: "category" if column in CATEGORIES else "number" for column in frame}
    schema = lockgate.Schema(tuple(lockgate.Column(str(c), kind) for c, kind in kinds.items()))
    raw, _ = packed_bytes(pipe, schema, features=frame)
    model = PackedModel(raw)
    reference, _ = read_columns(model.inputs, [make_reference_row(model.inputs, frame)])
    cells, _ = read_columns(model.inputs, frame.tail(ROWS))
    return frame, pipe, model, cells, reference


def median_of_rows(call: Callable[[int], object]) -> float:
    """Return the median time of a call for a row, in microseconds."""
    times = []
    for row in range(ROUNDS):
        started = time.perf_counter()
        call(row)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def measure(name: str, width: int, against: Any) -> dict[str, Any]:
    """Measure one model: a row, 1,000 rows, and the exactness of what comes out."""
    frame, pipe, model, cells, reference = explainers(name, width)
    started = time.perf_counter()
    explainer = Explainer(model, reference, against)
    built = time.perf_counter() - started
    single = [[column[row : row + 1] for column in cells] for row in range(ROUNDS)]
    ways: dict[str, Callable[[int], object]] = {
        "row": lambda row: explainer.columns(single[row], 1)
    }
    rows_ways: dict[str, Callable[[], object]] = {"rows": lambda: explainer.columns(cells, ROWS)}
    if name == "LightGBM":
        booster = pipe[-1].booster_
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix = np.asarray(pipe[0].transform(frame.tail(ROWS)), dtype=float)

        def contrib(rows: np.ndarray) -> Any:
            return booster.predict(rows, pred_contrib=True, num_threads=1)

        ways["peer row"] = lambda row: contrib(matrix[row : row + 1])
        rows_ways["peer rows"] = lambda: contrib(matrix)
    figures: dict[str, Any] = {"built": built, "engine": ", ".join(explainer.engines) or "sum"}
    rounds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(5):
        for way, call in ways.items():
            rounds[way].append(median_of_rows(call))
    figures |= {way: statistics.median(times) for way, times in rounds.items()}
    times: dict[str, list[float]] = {way: [] for way in rows_ways}
    for _ in range(3):
        for way, rows_call in rows_ways.items():
            started = time.perf_counter()
            rows_call()
            times[way].append((time.perf_counter() - started) / ROWS * 1e6)
    figures |= {way: statistics.median(each) for way, each in times.items()}
    values = explainer.columns(cells, ROWS)
    explained = model.header.answers.margin
    explained = model.header.answers.score if explained is None else explained
    assert explained is not None
    predicted = model.compute_operation(explained, cells, ROWS)[0]
    figures["additivity"] = np.abs(
        values[:, :, 0].sum(axis=1) + explainer.base[0] - predicted
    ).max()
    figures["equal bits"] = all(
        explainer.columns(single[row], 1)[0].tolist() == values[row].tolist()
        for row in range(ROUNDS)
    )
    if name == "LightGBM" and against == "training":
        figures["difference"] = np.abs(values[:, :, 0] - contrib(matrix)[:, :-1]).max()
    return figures


def serve_explained() -> str:
    """Measure a server that predicts, and one row in two explains with three reasons."""
    import lockgate

    frame, target = rows_of(WIDTHS[0], TRAINING_ROWS["boosting"])
    pipe = make_pipeline(before("boosting", frame), models()["boosting"]).fit(frame, target)
    rows = frame.tail(ROUNDS).astype(object).where(frame.tail(ROUNDS).notna(), None)
    bodies = [
        [json.dumps({"row": row} | more).encode() for more in ({}, {"explain": 3})]
        for row in rows.to_dict("records")
    ]
    with tempfile.TemporaryDirectory() as folder:
        lockgate.pack(pipe, frame, target, path=Path(folder) / "bundle")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["serve", str(Path(folder) / "bundle"), "--port", str(port)]
        server = subprocess.Popen(
            [sys.executable, "-m", "lockgate", *command],
            env=os.environ | {"XDG_STATE_HOME": folder},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            times = ask_in_turns(port, bodies)
        finally:
            stop(server)
    plain, explained = (statistics.median(each[10:]) * 1000 for each in times)
    return (
        f"A server of `boosting` with {WIDTHS[0]} columns, requests in turns over one connection: "
        f"p50 {plain:.2f} ms, with three reasons {explained:.2f} ms: "
        f"**{explained - plain:.2f} ms on top** (goal: ≤ 0.3 ms). The first request with reasons, "
        f"which builds the tables: {times[1][0]:.1f} s.\n"
    )


def ask_in_turns(port: int, bodies: list[list[bytes]]) -> list[list[float]]:
    """Return the seconds of each request, by its kind."""
    headers = {"content-type": "application/json"}
    times: list[list[float]] = [[], []]
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/ping")
            connection.getresponse().read()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # the server is starting
    for pair in bodies:
        for kind, body in enumerate(pair):
            started = time.perf_counter()
            connection.request("POST", "/predict", body, headers)
            answer = connection.getresponse().read()
            times[kind].append(time.perf_counter() - started)
            assert ("explanation" in json.loads(answer)) == bool(kind), answer
    return times


def report() -> str:
    """Return the section of docs/benchmarks.md."""
    lines = [
        "## Explanations\n",
        f"Exact Shapley values of flights' {WIDTHS[0]} columns (gaps, two of categories), and with columns",
        f"without meaning up to {WIDTHS[1]}; boosting of 200 trees with 31 leaves, a forest of 200 of depth",
        "16. Peer: LightGBM's `pred_contrib` on the same LightGBM model, values against training rows.",
        f"µs a row; {ROWS:,} rows have the bits of single rows.\n",
        "| model | columns | against | engine, built in s | one row | goal | of 1,000 rows | `pred_contrib` | ratio | of 1,000 | additive to |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in ("boosting", "LightGBM", "forest", "logistic"):
        for width, goal in zip(WIDTHS, GOALS[name], strict=True):
            for against in (
                ("reference", "training") if name in ("boosting", "LightGBM") else ("reference",)
            ):
                figures = measure(name, width, against)
                assert figures["equal bits"], "single rows have other bits than 1,000 rows"
                peer = ratio = peer_rows = ""
                if "peer row" in figures:
                    peer = f"{figures['peer row']:,.0f}"
                    ratio = f"{figures['peer row'] / figures['row']:.1f}"
                    peer_rows = f"{figures['peer rows'] / figures['rows']:.1f}"
                lines.append(
                    f"| {name} | {width} | {against} | {figures['engine']}, {figures['built']:.1f} | "
                    f"{figures['row']:,.1f} | {goal} | {figures['rows']:,.1f} | {peer} | {ratio} | "
                    f"{peer_rows} | {figures['additivity']:.0e} |"
                )
                if "difference" in figures:
                    assert figures["difference"] <= 1e-9, figures["difference"]
    return "\n".join([*lines, "", serve_explained()]) + "\n"


if __name__ == "__main__":
    print(report())
