"""Schemas from frames."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import lockgate
from lockgate.data.schema import compute_digest, fit_schema
from lockgate.data.task import infer_task


def test_kinds_are_inferred() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2],
            "number": [1.5, np.nan],
            "flag": [True, False],
            "when": pd.to_datetime(["2026-01-01", "2026-01-02"]),
            "colour": ["red", "blue"],
            "words": ["a", "b"],
            "iso": ["2026-01-31", "2026-02-01"],
        }
    )
    made = lockgate.table(frame, kinds={"words": "text"})
    kinds = {column.name: column.kind for column in made.schema.columns}
    assert kinds == {
        "whole": "integer",
        "number": "number",
        "flag": "boolean",
        "when": "date",
        "colour": "category",
        "words": "text",
        "iso": "date",
    }
    assert made.schema["colour"].categories == ("blue", "red")


def test_a_column_with_a_role_is_no_feature() -> None:
    made = lockgate.table(pd.DataFrame({"a": [1], "y": [0], "who": ["x"]}), target="y", id="who")
    assert [column.name for column in made.schema.features] == ["a"]


@pytest.mark.parametrize(
    ("columns", "roles", "words"),
    [
        (
            ["age", "churn"],
            {"target": "churned"},
            "unknown target column 'churned', did you mean 'churn'",
        ),
        (["age", "age"], {}, "column age is duplicated"),
        (["age", 3], {}, "column name 3 is not a string"),
    ],
)
def test_names_that_cannot_be_used_are_all_named(
    columns: list[object], roles: dict[str, str], words: str
) -> None:
    frame = pd.DataFrame([[1, 2]], columns=columns)
    with pytest.raises(lockgate.SchemaViolation, match=words):
        lockgate.table(frame, **roles)


def test_a_kind_that_values_cannot_be_is_named() -> None:
    frame = pd.DataFrame({"age": ["12", "x"]})
    with pytest.raises(
        lockgate.SchemaViolation, match="column age holds '12' in row 0, expected a number"
    ):
        lockgate.table(frame, kinds={"age": "number"})


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(width=32, allow_infinity=False)))
def test_equal_tables_have_equal_digests_and_a_change_shows(values: np.ndarray) -> None:
    one = lockgate.table(pd.DataFrame({"a": values}))
    assert one.digest == lockgate.table(pd.DataFrame({"a": values.copy()})).digest
    changed = values.copy()
    changed[0] = 0.5 if changed[0] != 0.5 else 1.5
    assert compute_digest(pd.DataFrame({"a": changed}), one.schema) != one.digest


def test_training_rows_teach_categories_and_bounds() -> None:
    made = lockgate.table(pd.DataFrame({"a": [1.0, 5.0, np.nan], "c": ["x", "y", None]}))
    schema = fit_schema(made)
    assert schema["a"].bounds == (1.0, 5.0)
    assert schema["c"].categories == ("x", "y")


@pytest.mark.parametrize(
    ("target", "wanted", "task"),
    [
        ([0, 1] * 20, "auto", "binary"),
        (["a", "b", "c"] * 10, "auto", "multiclass"),
        (np.arange(40) / 7, "auto", "regression"),
        ([1, 2, 3] * 10, "auto", "multiclass"),
        ([1, 2, 3] * 10, "regression", "regression"),
        ([1.5, 2.0, 2.5] * 10, "auto", "regression"),
    ],
)
def test_the_target_says_what_the_task_is(target: object, wanted: str, task: str) -> None:
    made = lockgate.table(pd.DataFrame({"y": target}), target="y")
    assert infer_task(made, wanted) == task


@pytest.mark.parametrize(
    ("target", "wanted", "words"),
    [
        ([1, 1, 1], "auto", "1 distinct value"),
        (["a", "b", "a"], "regression", "expected numbers for a regression"),
        (["a", "b", "c"], "binary", "expected 2"),
    ],
)
def test_a_target_that_cannot_be_the_task_is_named(target: object, wanted: str, words: str) -> None:
    made = lockgate.table(pd.DataFrame({"y": target}), target="y")
    with pytest.raises(lockgate.SchemaViolation, match=words):
        infer_task(made, wanted)
