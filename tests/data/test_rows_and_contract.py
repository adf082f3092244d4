"""Row rules, and frames held against a schema."""

import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.contract.sections import DataSelection, RowRules
from lockgate.data.conform import conform_to_schema, conform_to_selection
from lockgate.data.duplicates import drop_duplicates
from lockgate.data.row_rules import apply_row_rules
from lockgate.data.schema import fit_schema
from lockgate.data.uninformative import drop_uninformative


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
    rest, count = drop_duplicates(sample(), RowRules(duplicates="drop"))
    assert (len(rest), count) == (4, 1)
    assert drop_duplicates(sample(), RowRules())[1] == 0
    assert apply_row_rules(sample(), RowRules())[1] == {}


def test_ranges_and_outliers_are_counted_by_rule() -> None:
    rules = RowRules(duplicates="keep", ranges={"age": [0, 120]})
    assert apply_row_rules(sample(), rules)[1] == {"range of age": 1}
    assert apply_row_rules(sample(), RowRules(duplicates="keep", outlier_spread=3.0))[1] == {
        "outliers": 1
    }


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (RowRules(ranges={"agee": [0, 1]}), "did you mean 'age'"),
        (RowRules(ranges={"age": [1.0]}), r"expected \[low, high\]"),
        (RowRules(ranges={"age": [1000, 2000]}), "drop all training rows"),
    ],
)
def test_impossible_rules_are_named(rules: RowRules, words: str) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=words):
        apply_row_rules(sample(), rules)


def test_rows_without_a_target_are_left_out() -> None:
    made = lockgate.table(pd.DataFrame({"x": [1, 2], "y": ["a", None]}), target="y")
    kept, without = conform_to_selection(made, DataSelection())
    assert (len(kept), without) == (1, 1)


def test_columns_that_training_rows_say_nothing_about_are_dropped_everywhere() -> None:
    train = lockgate.table(sample().frame.assign(same=1, empty=np.nan), target="y")
    test = lockgate.table(sample().frame.assign(same=2, empty=1.0), target="y")
    kept, sentences = drop_uninformative(train, [test], DataSelection())
    assert [[c.name for c in one.schema.features] for one in kept] == [["age", "town"]] * 2
    assert sentences == [
        "column same is constant: 1; dropped",
        "column empty has no values; dropped",
    ]
    with pytest.raises(lockgate.SchemaViolation, match="column same is constant: 1"):
        drop_uninformative(train, [test], DataSelection(uninformative="refuse"))


def test_left_out_columns_must_exist() -> None:
    with pytest.raises(lockgate.SchemaViolation, match="did you mean 'town'"):
        conform_to_selection(sample(), DataSelection(leave_out=["twon"]))


def test_a_stretch_needs_a_time_column() -> None:
    with pytest.raises(lockgate.SchemaViolation, match="need a time column"):
        conform_to_selection(sample(), DataSelection(since="2026-01-01"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": "old"}, r"column age holds 'old' in row 0, expected a number"),
        ({"town": 3}, None),
        ({"age": None}, None),
    ],
)
def test_wrong_types_are_named_with_a_value(change: dict[str, object], words: str | None) -> None:
    schema = fit_schema(sample())
    frame = pd.DataFrame({"age": [1.0], "town": ["a"], **{k: [v] for k, v in change.items()}})
    if words is None:
        assert list(conform_to_schema(frame, schema)) == ["age", "town"]
    else:
        with pytest.raises(lockgate.SchemaViolation, match=words):
            conform_to_schema(frame, schema)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(lockgate.SchemaViolation) as caught:
        conform_to_schema(pd.DataFrame({"agee": [1], "town": ["a"]}), sample().schema)
    assert caught.value.problems == ("column age is missing, did you mean 'agee'?",)


def test_policies_refuse_gaps_and_unknown_categories() -> None:
    from lockgate.contract.sections import CellRules
    from lockgate.data.cell_rules import apply_cell_policies

    schema = apply_cell_policies(
        fit_schema(sample()), CellRules(missing="refuse", unknown="refuse")
    )
    with pytest.raises(lockgate.SchemaViolation, match="no value in row 1"):
        conform_to_schema(pd.DataFrame({"age": [1.0, np.nan], "town": ["a", "b"]}), schema)
    with pytest.raises(lockgate.SchemaViolation, match="holds 'z' in row 0, an unknown category"):
        conform_to_schema(pd.DataFrame({"age": [1.0], "town": ["z"]}), schema)


def test_a_category_is_the_same_with_and_without_gaps() -> None:
    """Whole numbers with a gap are read as floats, without one as integers."""
    frame = pd.DataFrame({"zip": [10001.0, 10002.0, np.nan], "y": [0, 1, 0]})
    schema = fit_schema(lockgate.table(frame, target="y", kinds={"zip": "category"}))
    assert schema["zip"].categories == ("10001", "10002")
    for served in ([10001, 10002], [10001.0, 10002.0], ["10001", "10002"]):
        made = conform_to_schema(pd.DataFrame({"zip": served}), schema)
        assert made["zip"].tolist() == ["10001", "10002"]


def test_dates_of_all_spellings_are_one_and_zones_become_utc() -> None:
    schema = lockgate.table(
        pd.DataFrame({"d": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    ).schema
    texts = conform_to_schema(pd.DataFrame({"d": ["2026-01-01T12:00:00", "2026-01-02"]}), schema)
    zoned = conform_to_schema(
        pd.DataFrame({"d": ["2026-01-01T13:00:00+01:00", "2026-01-02T00:00:00Z"]}), schema
    )
    assert texts["d"].tolist() == zoned["d"].tolist()


@pytest.mark.parametrize(
    ("column", "roles", "words"),
    [
        ([1.0, np.inf], {}, "column x is infinite in row 1"),
        (
            [[1], [2]],
            {},
            r"column x holds \[1\] in row 0, expected a single category \(and 1 more row\)",
        ),
        ([1, 2], {"time": "x"}, "time column x holds int64, expected dates"),
        ([1.0, -1.0], {"weight": "x"}, "weight column x must hold numbers"),
        (["a", "b"], {"weight": "x"}, "weight column x must hold numbers"),
        ([], {}, "the table has no rows"),
    ],
)
def test_cells_that_no_column_holds_are_named(
    column: list[object], roles: dict[str, str], words: str
) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=words):
        lockgate.table(pd.DataFrame({"x": column}), **roles)


def test_an_infinite_number_is_refused_when_served() -> None:
    with pytest.raises(lockgate.SchemaViolation, match="column age is infinite in row 0"):
        conform_to_schema(pd.DataFrame({"age": [np.inf], "town": ["a"]}), sample().schema)


def test_a_window_selects_by_a_time_column_that_is_then_left_out() -> None:
    frame = sample().frame.assign(day=pd.date_range("2026-01-01", periods=5))
    loaded = lockgate.table(frame, target="y", time="day")
    with pytest.raises(lockgate.SchemaViolation, match="day is the time column of the loader"):
        conform_to_selection(loaded, DataSelection(since="2026-01-03", leave_out=["day"]))
    table, unlabelled = conform_to_selection(loaded, DataSelection(since="2026-01-03"))
    assert (len(table), unlabelled) == (3, 0)
