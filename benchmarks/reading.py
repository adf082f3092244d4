"""Reading raw rows: CSV files as tables, files and JSON to predictions, beside pandas and scikit-learn.

The rows have 13 numbers with missing values, 3 whole numbers and 5 texts with missing values. Ways are timed in turn,
round after round, in one run; figures are medians.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROWS = 100_000
ROUNDS = 9


def rows_of(count: int) -> pd.DataFrame:
    """Return raw rows with a target."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {
        f"n{k}": np.where(rng.random(count) < 0.05, np.nan, rng.normal(size=count).round(4))
        for k in range(13)
    }
    columns |= {f"i{k}": rng.integers(0, 1000, count) for k in range(3)}
    texts = ["alpha", "beta", "gamma", "delta", None]
    columns |= {f"c{k}": rng.choice(texts, count) for k in range(5)}
    frame = pd.DataFrame(columns)
    return frame.assign(y=(frame["n0"].fillna(0) + frame["i0"] / 1000 > 0.5).astype(int))


def fitted(frame: pd.DataFrame) -> Any:
    """Return a pipeline fitted on raw rows."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in frame if name[0] in "ni"]
    texts = [name for name in frame if name[0] == "c"]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), texts),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=300)).fit(
        frame[numbers + texts], frame["y"]
    )


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each way, timed in turn."""
    series: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:
                series[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in series.items()}


def report() -> str:
    import lockgate
    from lockgate.batch.predict_file import predict_file

    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as name:
        folder = Path(name)
        frame = rows_of(ROWS)
        frame.to_csv(folder / "rows.csv", index=False)
        features = frame.drop(columns="y")
        model = fitted(frame[:5000])
        sample = features[:5000]
        bundle = lockgate.pack(model, sample, frame["y"][:5000], path=folder / "m")
        body = features[:100].to_json(orient="records")
        one_row = json.loads(body)[0]

        def predicted_file() -> None:
            (folder / "out.parquet").unlink(missing_ok=True)
            predict_file(bundle, folder / "rows.csv", folder / "out.parquet")

        def peer_file() -> None:
            scores = model.predict_proba(pd.read_csv(folder / "rows.csv"))
            pd.DataFrame(scores).to_parquet(folder / "peer.parquet")

        def peer_records() -> None:
            model.predict_proba(pd.DataFrame(json.loads(body)))

        large = timed(
            {
                "table": lambda: lockgate.read_table(folder / "rows.csv", target="y"),
                "peer table": lambda: pd.read_csv(folder / "rows.csv"),
                "frame": lambda: bundle.predict(features),
                "peer frame": lambda: model.predict_proba(features),
                "file": predicted_file,
                "peer file": peer_file,
            },
            ROUNDS,
        )
        small = timed(
            {
                "records": lambda: bundle.predict(json.loads(body)),
                "peer records": peer_records,
                "one": lambda: bundle.predict_one(one_row),
                "peer one": lambda: model.predict_proba(pd.DataFrame([one_row])),
            },
            30 * ROUNDS,
        )
    lines = [
        "\n## Reading raw rows\n",
        f"{ROWS:,} rows of 21 columns, 13 of numbers and 5 of texts with missing values; scikit-learn's",
        "pipeline of the same model. `read_table` also infers kinds, converts and hashes.\n",
        "| | lockgate | pandas, scikit-learn | ratio |",
        "|---|---|---|---|",
    ]
    labels = {
        "table": ("CSV file to a table, ms", 1e3),
        "frame": ("frame to predictions, ms", 1e3),
        "file": ("CSV file to a Parquet file of predictions, ms", 1e3),
        "records": ("100 rows of JSON to predictions, µs", 1e6),
        "one": ("one row, a dictionary, µs", 1e6),
    }
    for key, (label, unit) in labels.items():
        seconds = large | small
        ours, theirs = seconds[key] * unit, seconds[f"peer {key}"] * unit
        lines.append(f"| {label} | {ours:,.0f} | {theirs:,.0f} | {theirs / ours:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report())
