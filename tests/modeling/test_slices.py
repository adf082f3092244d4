"""Slices on which a model is worse: those that are, and by chance no others."""

from __future__ import annotations

import os

import numpy as np
import pytest

from lockgate.modeling.statistics.slices import compare_slices, measure_slice_changes

SOAK = bool(os.environ.get("LOCKGATE_SOAK"))
SETS = 1000 if SOAK else 150
"""Data sets of a simulation."""


def slices_of(rng: np.random.Generator, rows: int, fewest: int) -> np.ndarray:
    """Members of the slices of eight columns without any meaning."""
    members = []
    for column in range(8):
        codes = rng.integers(0, 4 if column % 2 else 10, rows)
        members += [codes == code for code in range(10)]
    return np.stack([member for member in members if member.sum() >= fewest], axis=1)


LOSSES = {
    "squared": lambda rng, n: rng.normal(size=n) ** 2,
    "exponential": lambda rng, n: rng.exponential(size=n),
    "wrong or right": lambda rng, n: (rng.random(n) < 0.1).astype(float),
}


@pytest.mark.parametrize("name", LOSSES)
def test_without_worse_slices_hardly_any_is_called_worse(name: str) -> None:
    rng = np.random.default_rng(len(name))
    found = 0
    for seed in range(SETS):
        loss, members = LOSSES[name](rng, 400), slices_of(rng, 400, 40)
        found += min(result.p for result in compare_slices(loss, members, seed=seed)) <= 0.05
    # 3.5 standard deviations of a share of 5 %
    assert found <= 0.05 * SETS + 3.5 * (0.05 * 0.95 * SETS) ** 0.5


def test_rows_of_a_group_are_no_evidence_by_themselves() -> None:
    rng = np.random.default_rng(3)
    alone, together = 0, 0
    for seed in range(60):
        groups = np.repeat(np.arange(40), 20)
        loss = np.repeat(rng.exponential(size=40), 20)
        members = np.repeat(rng.random((40, 5)) < 0.3, 20, axis=0)
        results = [compare_slices(loss, members, None, g, seed=seed) for g in (None, groups)]
        alone += min(result.p for result in results[0]) <= 0.05
        together += min(result.p for result in results[1]) <= 0.05
    assert alone > 30
    assert together <= 8


def test_a_worse_slice_is_named_among_many() -> None:
    rng = np.random.default_rng(5)
    members = slices_of(rng, 2000, 50)
    loss = rng.exponential(size=2000)
    loss[members[:, 7]] *= 1.6
    results = compare_slices(loss, members)
    assert int(np.argmin([result.p for result in results])) == 7
    assert results[7].p < 0.01
    assert results[7].loss == pytest.approx(loss[members[:, 7]].mean())
    assert results[7].others == pytest.approx(loss[~members[:, 7]].mean())


def test_weights_count_and_a_slice_that_is_better_is_not_named() -> None:
    rng = np.random.default_rng(6)
    loss, members = rng.exponential(size=1000), np.arange(1000)[:, None] % 2 == np.arange(2)
    weight = rng.uniform(0.1, 3, 1000)
    loss[members[:, 0]] *= 0.3
    first, second = compare_slices(loss, members, weight)
    assert first.loss == pytest.approx(np.average(loss[::2], weights=weight[::2]))
    assert (first.p > 0.5, second.p < 0.01) == (True, True)


def test_losses_that_do_not_differ_are_no_finding() -> None:
    members = np.arange(100)[:, None] % 3 == np.arange(3)
    assert [result.p for result in compare_slices(np.ones(100), members)] == [1.0] * 3


CHANGES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_t(2, n),
    "wrong or right": lambda rng, n: rng.choice([-1.0, 0.0, 1.0], n, p=[0.05, 0.9, 0.05]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_without_a_change_hardly_any_slice_is_said_to_change(name: str) -> None:
    rng = np.random.default_rng(len(name))
    named = missed = 0
    for seed in range(SETS):
        change, members = CHANGES[name](rng, 400), slices_of(rng, 400, 40)
        results = measure_slice_changes(change, members, seed=seed)
        named += min(result.p for result in results) <= 0.05
        missed += any(not result.low <= 0 <= result.high for result in results)
    allowed = 0.05 * SETS + 3.5 * (0.05 * 0.95 * SETS) ** 0.5
    assert named <= allowed
    assert missed <= allowed


def test_a_changed_slice_is_named_with_its_direction() -> None:
    rng = np.random.default_rng(6)
    members = slices_of(rng, 2000, 50)
    change = rng.normal(size=2000)
    change[members[:, 7]] -= 1.0
    results = measure_slice_changes(change, members)
    assert np.argmin([result.change for result in results]) == 7
    assert results[7].p <= 0.01
    assert results[7].low <= results[7].change <= results[7].high < 0


def test_a_change_that_all_rows_share_is_no_chance() -> None:
    members = np.arange(200)[:, None] % 2 == np.arange(1)
    (result,) = measure_slice_changes(np.full(200, 0.25), members)
    assert result.p <= 0.001
    assert result.low > 0
    (unchanged,) = measure_slice_changes(np.zeros(200), members)
    assert (unchanged.p, unchanged.change) == (1.0, 0.0)


def test_rows_of_a_group_change_together() -> None:
    rng = np.random.default_rng(8)
    alone, together = 0, 0
    for seed in range(60):
        groups = np.repeat(np.arange(40), 20)
        change = np.repeat(rng.normal(size=40), 20)
        members = np.repeat(rng.random((40, 5)) < 0.3, 20, axis=0)
        results = [
            measure_slice_changes(change, members, None, g, seed=seed) for g in (None, groups)
        ]
        alone += min(result.p for result in results[0]) <= 0.05
        together += min(result.p for result in results[1]) <= 0.05
    assert alone > 30
    assert together <= 8
