"""Packed models against scikit-learn, onnxruntime, treelite's gtil and LightGBM, on flights.

One thread each. Ways are timed in turn, round after round, in one run; figures are medians.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.environments import environment

ROUNDS = 7
SIZES = (1, 32, 1000, 100_000)
WORKER = Path(__file__).parent / "peers" / "onnx_worker.py"
CATEGORIES = ("carrier", "origin")


def flights() -> tuple[Any, Any]:
    """Return features and whether a flight was late, January to March."""
    import lockgate
    from lockgate_datasets.flights import Flights

    table = Flights().load(lockgate.LoadRequest(since="2013-01-01", until="2013-08-01"))
    frame = table.features
    numeric = [name for name in frame if frame[name].dtype.kind in "fiu"]
    texts = [name for name in CATEGORIES if name in frame]
    known = ~np.isnan(np.asarray(table.target, dtype=float))
    frame, target = frame[known], np.asarray(table.target)[known].astype(int)
    return frame[[*numeric, *texts]].astype(dict.fromkeys(numeric, float)), target


def models() -> dict[str, Any]:
    """Return unfitted models; the first step is left to `prepared`."""
    import lightgbm
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    return {
        "logistic": LogisticRegression(max_iter=300),
        "boosting": HistGradientBoostingClassifier(
            max_iter=200, max_leaf_nodes=31, early_stopping=False, random_state=0
        ),
        "forest": RandomForestClassifier(200, max_depth=16, random_state=0, n_jobs=1),
        "LightGBM": lightgbm.LGBMClassifier(
            n_estimators=200, num_leaves=31, n_jobs=1, verbose=-1, random_state=0
        ),
    }


def before(name: str, frame: Any) -> Any:
    """Return the steps before a model."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    numeric = [one for one in frame if one not in CATEGORIES]
    texts = [one for one in frame if one in CATEGORIES]
    if name == "logistic":
        numbers: Any = make_pipeline(SimpleImputer(), StandardScaler())
        names: Any = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    else:
        numbers = SimpleImputer() if name == "forest" else "passthrough"
        missing = -1 if name == "forest" else np.nan
        names = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=missing, encoded_missing_value=missing
        )
    return make_column_transformer((numbers, numeric), (names, texts))


class Peer:
    """The process that runs ONNX models."""

    def __init__(self) -> None:
        python = environment("onnx", "scikit-learn", "numpy")
        self.process = subprocess.Popen(
            [str(python), str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


def timed(call: Callable[[], Any]) -> Callable[[int], float]:
    def run(repeats: int) -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - started) / repeats

    return run


def ways_of(pipe: Any, frame: Any, matrix: np.ndarray, folder: Path, peer: Peer) -> dict[str, Any]:
    """Return by name a function from rows to a function that times them."""
    from lockgate.models.packed.runtime.model import PackedModel
    from lockgate.models.packing.pack import packed_bytes
    from lockgate.models.packing.rows import table_from

    whole = PackedModel(packed_bytes(pipe, table_from(frame.iloc[:5000])[0].schema)[0])
    last = pipe[-1]
    bare = PackedModel(packed_bytes(last, table_from(matrix[:5000])[0].schema)[0])
    (folder / "whole.packed").write_bytes(
        packed_bytes(pipe, table_from(frame.iloc[:5000])[0].schema)[0]
    )
    import joblib

    from lockgate.plugins.host.catalogue import Catalogue

    compiled = Catalogue.installed().find("engine", "numba").load()().compile()
    joblib.dump(last, folder / "last.joblib")
    np.save(folder / "rows.npy", matrix)
    onnx = peer.ask(
        convert=str(folder / "last.joblib"), to=str(folder / "last.onnx"), features=matrix.shape[1]
    )
    if "error" not in onnx:
        onnx = peer.ask(load=str(folder / "last.onnx"), rows=str(folder / "rows.npy"))
    records = [
        dict(zip(frame.columns, row, strict=True)) for row in frame.head(1).itertuples(index=False)
    ]
    record = {k: (None if v != v else v) for k, v in records[0].items()}

    def raw(rows: int) -> Any:
        if rows == 1:
            return timed(lambda: whole.predict_one(record))
        some = frame.iloc[:rows]
        return timed(lambda: whole.predict(some))

    ways: dict[str, Any] = {
        "**lockgate**, raw rows": raw,
        "scikit-learn, raw rows": lambda rows: timed(
            lambda f=frame.iloc[:rows]: pipe.predict_proba(f)
        ),
        "**lockgate**, array": lambda rows: timed(lambda m=matrix[:rows]: bare.predict(m)),
        "**lockgate** with numba, array": lambda rows: timed(
            lambda m=matrix[:rows]: bare.predict(m, engine=compiled)
        ),
        "scikit-learn, array": lambda rows: timed(lambda m=matrix[:rows]: last.predict_proba(m)),
    }
    if "error" in onnx:
        ways[f"onnxruntime, array ({onnx['error'][:60]})"] = None
    else:
        ways["onnxruntime, array"] = lambda rows: (
            lambda repeats: peer.ask(time=rows, repeats=repeats)["seconds"]
        )
    if type(last).__module__.startswith("lightgbm"):
        import treelite

        model = treelite.frontend.from_lightgbm(last.booster_)
        ways["treelite gtil, array"] = lambda rows: timed(
            lambda m=matrix[:rows]: treelite.gtil.predict(model, m, nthread=1)
        )
        ways["LightGBM's own, array"] = lambda rows: timed(
            lambda m=matrix[:rows]: last.booster_.predict(m, num_threads=1)
        )
        del ways["scikit-learn, array"]
    return ways


def measured(ways: dict[str, Any]) -> dict[str, dict[int, float]]:
    """Time all ways in turn, and return medians by way and rows."""
    runs = {
        (name, rows): way(rows) for name, way in ways.items() if way is not None for rows in SIZES
    }
    repeats = {}
    for key, run in runs.items():
        run(1)
        repeats[key] = max(1, min(2000, int(0.15 / max(run(1), 1e-6))))
    found: dict[Any, list[float]] = {key: [] for key in runs}
    for _ in range(ROUNDS):
        for key, run in runs.items():
            found[key].append(run(repeats[key]))
    return {
        name: {rows: statistics.median(found[name, rows]) for rows in SIZES} if way else {}
        for name, way in ways.items()
    }


STARTS = {
    "lockgate": "from lockgate.models.packed.runtime.open import open_packed\nm = open_packed({packed!r})\n"
    "m.predict_one({record!r})",
    "scikit-learn + joblib": "import joblib, pandas as pd\nm = joblib.load({joblib!r})\n"
    "m.predict_proba(pd.DataFrame([{record!r}]))",
}


PEAK = """
print([int(line.split()[1]) / 1024 for line in open("/proc/self/status") if "VmHWM" in line][0])
"""


def started(folder: Path, pipe: Any, frame: Any) -> dict[str, tuple[float, float]]:
    """Return seconds from process start to a first answer, and peak memory in MB."""
    import joblib

    joblib.dump(pipe, folder / "whole.joblib")
    row = frame.iloc[0].to_dict()
    record = {k: (v.item() if hasattr(v, "item") else v) for k, v in row.items()}
    texts = {
        name: text.format(
            packed=str(folder / "whole.packed"), joblib=str(folder / "whole.joblib"), record=record
        )
        + PEAK
        for name, text in STARTS.items()
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in texts}
    for _ in range(5):
        for name, text in texts.items():
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", f"nan = float('nan')\n{text}"],
                capture_output=True,
                text=True,
                check=True,
            )
            found[name].append((time.perf_counter() - began, float(done.stdout)))
    return {
        name: (statistics.median(a for a, _ in both), statistics.median(b for _, b in both))
        for name, both in found.items()
    }


def sizes(folder: Path, pipe: Any) -> dict[str, float | None]:
    """Return kilobytes of the model's file, deflated as for transport."""
    import joblib

    joblib.dump(pipe, folder / "small.joblib", compress=("zlib", 6))
    try:
        from skops import io as skops_io

        raw = skops_io.dumps(pipe, compression=8, compresslevel=6)
        skops: float | None = len(raw) / 1024
    except Exception:
        skops = None
    onnx = folder / "last.onnx"
    return {
        "lockgate": len(zlib.compress((folder / "whole.packed").read_bytes(), 6)) / 1024,
        "joblib": (folder / "small.joblib").stat().st_size / 1024,
        "skops": skops,
        "ONNX (model alone)": len(zlib.compress(onnx.read_bytes(), 6)) / 1024
        if onnx.exists()
        else None,
    }


def report() -> str:
    from sklearn.pipeline import Pipeline

    warnings.simplefilter("ignore")
    frame, target = flights()
    rows = frame.sample(100_000, random_state=0).reset_index(drop=True)
    lines = [
        "## Packed models on flights\n",
        f"{len(frame.columns)} columns, {', '.join(CATEGORIES)} as texts; fitted on "
        f"{min(len(frame), 60_000):,} rows. One thread each. From raw rows: one row as a "
        "dictionary for lockgate and as a DataFrame for scikit-learn, more as a DataFrame; from "
        "an array: the prepared matrix, the model alone. Microseconds, and rows a second at "
        "100,000.\n",
    ]
    peer = Peer()
    for name, model in models().items():
        some = np.random.default_rng(0).permutation(len(frame))[:60_000]
        pipe = Pipeline([("cells", before(name, frame)), ("model", model)])
        cells = pipe[0].fit(frame.iloc[some])
        model.fit(np.asarray(cells.transform(frame.iloc[some])), target[some])
        matrix = np.ascontiguousarray(cells.transform(rows), dtype=float)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            found = measured(ways_of(pipe, rows, matrix, folder, peer))
            lines += [
                f"### {name}\n",
                "| | 1 row | 32 rows | 1,000 rows | rows a second |",
                "|---|---|---|---|---|",
            ]
            for way, figures in found.items():
                cells_of = [f"{figures[n] * 1e6:,.0f}" if figures else "-" for n in SIZES[:3]]
                speed = f"{SIZES[-1] / figures[SIZES[-1]]:,.0f}" if figures else "-"
                lines.append(f"| {way} | {' | '.join(cells_of)} | {speed} |")
            kb = sizes(folder, pipe)
            listed = ", ".join(f"{k} {v:,.0f}" if v else f"{k} -" for k, v in kb.items())
            begun = started(folder, pipe, rows)
            said = "; ".join(f"{k} {s:.2f} s, {mb:.0f} MB" for k, (s, mb) in begun.items())
            lines += ["", f"Deflated, kB: {listed}. Process start to first answer: {said}.", ""]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report())
