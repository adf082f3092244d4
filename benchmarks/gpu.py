"""CuPy on a CUDA device against NumPy: least squares, packed trees, counts of bins.

Not part of ``make bench``, which needs no GPU: ``make gpu`` runs the tests of arrays and this.
The things compared run in turn, in one process; figures are medians, with NumPy on every core.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import lockgate
from lockgate.builtin.backends.cupy import Cupy
from lockgate.contract.requests import numpy_backend
from lockgate.data.columns.inputs import ColumnInput
from lockgate.modeling.solvers.least_squares import least_squares
from lockgate.modeling.statistics.histograms import count_into_bins
from lockgate.models.converters.convert import pack_estimator
from lockgate.models.packed.runtime.model import PackedModel

ROUNDS = 5
ROWS = 1_000_000


def seconds(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Time each run, in turn, after a round that is not counted; medians in seconds."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def solve(backends: dict[str, lockgate.Backend], rows: int, columns: int) -> dict[str, float]:
    """Solve least squares with rows of normal numbers, from and to host memory."""
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    y = X @ rng.normal(size=columns) + rng.normal(size=rows)
    answers = [least_squares(backend, X, y)[0] for backend in backends.values()]
    if not np.allclose(answers[0], answers[1], rtol=1e-9, atol=1e-12):
        raise AssertionError("the solutions of NumPy and CuPy differ")
    runs: dict[str, Callable[[], object]] = {
        name: lambda backend=backend: least_squares(backend, X, y)
        for name, backend in backends.items()
    }
    return seconds({**runs, "scikit-learn": lambda: LinearRegression().fit(X, y)})


def predict(backends: dict[str, lockgate.Backend], estimator: Any) -> dict[str, float]:
    """Predict a million rows with packed trees, from and to host memory."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 20))
    y = (X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(size=ROWS) > 0).astype(int)
    inputs = [ColumnInput(f"x{k}", "number") for k in range(X.shape[1])]
    estimator.fit(X[:50_000], y[:50_000])
    model = PackedModel(pack_estimator(estimator, inputs).raw)
    scores = [model.predict(X[:20_000], backend=backend).score for backend in backends.values()]
    if not np.allclose(scores[0], scores[1], atol=1e-12):
        raise AssertionError("the predictions of NumPy and CuPy differ")
    runs: dict[str, Callable[[], object]] = {
        name: lambda backend=backend: model.predict(X, backend=backend)
        for name, backend in backends.items()
    }
    return seconds({**runs, "scikit-learn": lambda: estimator.predict_proba(X)})


def count(backends: dict[str, lockgate.Backend]) -> dict[str, float]:
    """Count ten million numbers in 32 bins, from host memory."""
    values = np.random.default_rng(0).normal(size=10 * ROWS)
    bins = lockgate.BinCounts("x", "ordered", tuple(np.linspace(-3, 3, 31).tolist()))
    counts = [count_into_bins(bins, values, backend).counts for backend in backends.values()]
    if counts[0] != counts[1]:
        raise AssertionError("the counts of NumPy and CuPy differ")
    return seconds(
        {
            name: lambda backend=backend: count_into_bins(bins, values, backend)
            for name, backend in backends.items()
        }
    )


def report() -> str:
    """Return a table of seconds."""
    import cupy
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    backends = {"NumPy": numpy_backend(), "CuPy": Cupy().arrays()}
    boosting = HistGradientBoostingClassifier(max_iter=200, early_stopping=False, random_state=0)
    forest = RandomForestClassifier(200, max_depth=16, n_jobs=-1, random_state=0)
    figures = {
        "least squares, 1,000,000 x 30": solve(backends, ROWS, 30),
        "least squares, 100,000 x 300": solve(backends, ROWS // 10, 300),
        "boosting of 200 x 31, 1,000,000 x 20": predict(backends, boosting),
        "forest of 200 x depth 16, 1,000,000 x 20": predict(backends, forest),
        "counts of 10,000,000 numbers in 32 bins": count(backends),
    }
    lines = [
        f"{device}, CuPy {cupy.__version__}; {platform.processor() or platform.machine()}",
        "",
        "| | NumPy s | CuPy s | scikit-learn s | NumPy / CuPy |",
        "|---|---|---|---|---|",
    ]
    for what, taken in figures.items():
        peer = f"{taken['scikit-learn']:.3f}" if "scikit-learn" in taken else ""
        ratio = taken["NumPy"] / taken["CuPy"]
        lines.append(
            f"| {what} | {taken['NumPy']:.3f} | {taken['CuPy']:.3f} | {peer} | {ratio:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
