"""Training of the model ``keras`` against the `fit` of Keras, on 1,000 rows of a table.

The same network, steps, rates and number of passes; the two take turns in one process. Ours is timed
with the network compiled anew, as for a single training, and compiled before, as in a search.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lockgate_keras.compiled import compiled_network, import_keras
from lockgate_keras.estimators import DenseClassifier

ROUNDS, ROWS, COLUMNS, PASSES, BATCH = 5, 1000, 12, 50, 128
HIDDEN = (64, 32)


def with_keras(X: np.ndarray, y: np.ndarray) -> None:
    """Train with Keras' `fit`, a tenth of the rows set apart to stop by, as ours does."""
    keras = import_keras()
    layers: list[Any] = [keras.Input((COLUMNS,))]
    for units in HIDDEN:
        layers += [keras.layers.Dense(units), keras.layers.ReLU()]
    network = keras.Sequential([*layers, keras.layers.Dense(1)])
    network.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=1e-4),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    stop = keras.callbacks.EarlyStopping(patience=PASSES, restore_best_weights=True)
    network.fit(
        X.astype(np.float32),
        y.astype(np.float32),
        validation_split=0.1,
        batch_size=BATCH,
        epochs=PASSES,
        callbacks=[stop],
        verbose=0,
    )


def report() -> str:
    """Measure, and write a page's section."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    y = (X[:, 0] * X[:, 1] + rng.normal(size=ROWS) > 0).astype(int)
    options: dict[str, Any] = {"hidden": HIDDEN, "batch_size": BATCH, "epochs": PASSES}

    def ours() -> None:
        DenseClassifier(**options, patience=PASSES).fit(X, y)

    def compiled_anew() -> None:
        compiled_network.cache_clear()
        ours()

    ways: dict[str, Callable[[], None]] = {
        "Keras' `fit`": lambda: with_keras(X, y),
        "`model=keras`, a single training": compiled_anew,
        "`model=keras`, a further training of a search": ours,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):  # the first loads libraries
        for name, train in ways.items():
            start = time.perf_counter()
            train()
            if turn:
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    peer = next(iter(medians.values()))
    lines = [
        "## Training networks\n",
        f"{ROWS:,} rows of {COLUMNS} columns, layers of 64 and 32 units, {PASSES} passes in steps of "
        f"{BATCH} rows; the same number of threads.\n",
        "| | s | times Keras |",
        "|---|---|---|",
        *(f"| {name} | {taken:.2f} | {peer / taken:.1f} |" for name, taken in medians.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report())
