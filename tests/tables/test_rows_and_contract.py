"""Row rules, and frames held against a schema."""

import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.spec.sections import Data, Rows
from lockgate.tables.contract import conform, shaped
from lockgate.tables.infer import learned
from lockgate.tables.rows import cleaned, labelled


def sample() -> lockgate.Table:
    frame = pd.DataFrame(
        {
            "age": [20.0, 30.0, 40.0, 40.0, 400.0],
            "town": ["a", "b", "a", "a", "b"],
            "y": [0, 1, 0, 0, 1],
        }
    )
    return lockgate.table(frame, target="y")


def test_duplicates_are_dropped_and_counted() -> None:
    train, counts = cleaned(sample(), Rows())
    assert (len(train), counts) == (4, {"duplicates": 1})
    assert cleaned(sample(), Rows(duplicates="keep"))[1] == {}


def test_ranges_and_outliers_are_counted_by_rule() -> None:
    rules = Rows(duplicates="keep", ranges={"age": [0, 120]})
    assert cleaned(sample(), rules)[1] == {"range of age": 1}
    assert cleaned(sample(), Rows(duplicates="keep", outlier_spread=3.0))[1] == {"outliers": 1}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rows(ranges={"agee": [0, 1]}), "did you mean 'age'"),
        (Rows(ranges={"age": [1.0]}), r"expected \[low, high\]"),
        (Rows(ranges={"age": [1000, 2000]}), "leave no training row"),
    ],
)
def test_impossible_rules_are_named(rules: Rows, words: str) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=words):
        cleaned(sample(), rules)


def test_rows_without_a_target_are_left_out() -> None:
    made = lockgate.table(pd.DataFrame({"x": [1, 2], "y": ["a", None]}), target="y")
    kept, without = labelled(made)
    assert (len(kept), without) == (1, 1)


def test_useless_columns_are_dropped_by_name_or_refused() -> None:
    frame = sample().frame.assign(same=1, empty=np.nan)
    made = lockgate.table(frame, target="y")
    kept, sentences = shaped(made, Data())
    assert [c.name for c in kept.schema.features] == ["age", "town"]
    assert sentences == [
        "column same is always 1; dropped",
        "column empty has no value at all; dropped",
    ]
    with pytest.raises(lockgate.SchemaViolation, match="column same is always 1"):
        shaped(made, Data(useless="refuse"))


def test_left_out_columns_must_exist() -> None:
    with pytest.raises(lockgate.SchemaViolation, match="did you mean 'town'"):
        shaped(sample(), Data(leave_out=["twon"]))


def test_a_stretch_needs_a_time_column() -> None:
    with pytest.raises(lockgate.SchemaViolation, match="need a time column"):
        shaped(sample(), Data(since="2026-01-01"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": "old"}, r"column age holds .* \(e\.g\. 'old'\), expected number"),
        ({"town": 3}, None),
        ({"age": None}, None),
    ],
)
def test_wrong_types_are_named_with_a_value(change: dict[str, object], words: str | None) -> None:
    schema = learned(sample())
    frame = pd.DataFrame({"age": [1.0], "town": ["a"], **{k: [v] for k, v in change.items()}})
    if words is None:
        assert list(conform(frame, schema)) == ["age", "town"]
    else:
        with pytest.raises(lockgate.SchemaViolation, match=words):
            conform(frame, schema)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(lockgate.SchemaViolation) as caught:
        conform(pd.DataFrame({"agee": [1], "town": ["a"]}), sample().schema)
    assert caught.value.problems == ("column age is missing, did you mean 'agee'?",)


def test_policies_refuse_gaps_and_unknown_categories() -> None:
    from lockgate.spec.sections import Cells
    from lockgate.tables.cells import declared

    schema = declared(learned(sample()), Cells(missing="refuse", unknown="refuse"))
    with pytest.raises(lockgate.SchemaViolation, match="no value in row 1"):
        conform(pd.DataFrame({"age": [1.0, np.nan], "town": ["a", "b"]}), schema)
    with pytest.raises(
        lockgate.SchemaViolation, match="holds 'z' in row 0, which training never saw"
    ):
        conform(pd.DataFrame({"age": [1.0], "town": ["z"]}), schema)
