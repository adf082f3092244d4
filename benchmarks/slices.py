"""How often the evaluator ``slices`` names a slice as worse, where none is, and where it is.

The level is the share of data sets without any worse slice in which one is named; the power that
of data sets in which the losses of one slice are larger, and it is named.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from lockgate.modeling.statistics.slices import compare_slices

SETS = 300
"""Data sets of each row of the table."""

LEVEL = 0.05
SIZES = ((500, 50), (2000, 50), (2000, 200))
"""Rows, and rows of the smallest slice."""

LARGER = 1.5
"""Factor by which the losses of the worse slice are larger."""

Draw = Callable[[np.random.Generator, int], np.ndarray]


def brier(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Return Brier scores of calibrated scores, at a prevalence of some 14 %."""
    score = rng.beta(1, 6, rows)
    return (score - (rng.random(rows) < score)) ** 2


LOSSES: dict[str, Draw] = {
    "squared error": lambda rng, rows: rng.normal(size=rows) ** 2,
    "Brier score": brier,
    "exponential": lambda rng, rows: rng.exponential(size=rows),
    "lognormal": lambda rng, rows: rng.lognormal(size=rows),
}


def draw_slices(rng: np.random.Generator, rows: int, fewest: int) -> np.ndarray:
    """Return members of the slices of eight columns that have no meaning."""
    members = []
    for column in range(8):
        count = min(10, rows // fewest) if column % 2 else 4
        codes = rng.integers(0, count, rows)
        members += [codes == code for code in range(count)]
    return np.stack([member for member in members if member.sum() >= fewest], axis=1)


def measure(name: str, rows: int, fewest: int) -> str:
    """Simulate data sets of one kind, and return a row of the table."""
    rng, draw = np.random.default_rng(rows + fewest), LOSSES[name]
    by_chance = hits = slices = 0
    for seed in tqdm(range(SETS), leave=False, desc=f"{name}, {rows} rows", disable=None):
        loss, members = draw(rng, rows), draw_slices(rng, rows, fewest)
        slices += members.shape[1]
        results = compare_slices(loss, members, seed=seed)
        by_chance += min(result.p for result in results) <= LEVEL
        worse = int(rng.integers(members.shape[1]))
        loss = np.where(members[:, worse], LARGER * loss, loss)
        hits += compare_slices(loss, members, seed=seed)[worse].p <= LEVEL
    shares = f"{by_chance / SETS:.1%} | {hits / SETS:.0%}"
    return f"| {name} | {rows:,} | {fewest} | {slices / SETS:.0f} | {shares} |"


def report() -> str:
    """Return the section of docs/benchmarks.md."""
    lines = [
        "## Slices that are worse, by chance and in truth\n",
        f"Evaluator `slices`, {SETS} data sets a row, at the level of {LEVEL:.0%}: how often any slice is",
        f"named where none is worse, and the one whose losses are {LARGER} times as large.\n",
        "| loss | rows | smallest slice | slices | named by chance | the worse named |",
        "|---|---|---|---|---|---|",
    ]
    lines += [measure(name, *size) for name in LOSSES for size in SIZES]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report())
