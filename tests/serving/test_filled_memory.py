"""Filled cells of single rows are those that a reading of the row counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.models.bundle.open import open_bundle
from lockgate.serving.prediction.filled_memory import FilledMemory

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "months": st.none() | st.integers(0, 5),
    "charge": st.none() | st.floats(0, 9) | st.just(float("nan")),
    "calls": st.none() | st.just(2.0),
    "plan": st.none() | st.sampled_from(["basic", "family", "a", "b", "NA", "", "nan", 1]),
    "abroad": st.none() | st.sampled_from(["yes", "no", "maybe", "x" * 200, "plan"]),
}
CUSTOMERS = st.fixed_dictionaries(CELLS)


@pytest.fixture(scope="module")
def inputs(bundles: dict[str, Path]) -> Any:
    return open_bundle(bundles["logistic"]).predictor.model.inputs


def test_remembered_counts_are_those_of_a_reading(inputs: Any) -> None:
    memory = FilledMemory(inputs, {"months", "charge"})

    @given(CUSTOMERS)
    def check(row: dict[str, Any]) -> None:
        expected = FilledMemory(inputs, {"months", "charge"}).count(row)
        assert memory.count(row) == expected
        assert memory.count(row) == expected
        if expected != ({}, []) and row["charge"] == row["charge"]:  # JSON has no NaN
            assert memory.may_have_filled(row)

    check()


def test_columns_that_are_missing_are_not_taken_for_unknown_ones(inputs: Any) -> None:
    memory = FilledMemory(inputs, ())
    row = {"months": 1, "charge": 2.0, "calls": None, "plan": "abroad", "abroad": "no"}
    other = {**row, "plan": None, "abroad": None}
    assert memory.count(row)[0] == {"gaps": {"calls": 1}, "unknown": {"plan": 1}}
    assert memory.count(other)[0] == {"gaps": {"calls": 1, "plan": 1, "abroad": 1}}
