"""What makes metrics too good, or a target unusual, is said; clean tables are left in peace."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_wine

import lockgate
from lockgate.contract.sections import RowRules, Split
from lockgate.contract.tables import Table
from lockgate.data.column_checks import check_columns
from lockgate.data.copies import check_copies
from lockgate.data.duplicates import drop_duplicates
from lockgate.data.split_checks import check_classes, check_split
from lockgate.data.splits import resolve_method, split_rows


def clean(rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows)})
    frame["plan"] = rng.choice(["x", "y", "z"], rows)
    frame["y"] = np.where(frame["a"] + rng.normal(size=rows) > 0, "yes", "no")
    return frame


def split_messages(frame: pd.DataFrame, by: str = "auto", **roles: str) -> list[str]:
    table = lockgate.table(frame, target="y", **roles)
    rules = Split(by=by)
    parts = split_rows(table, rules, 1)
    return check_copies(parts, "shop") + check_split(parts, resolve_method(table, rules), "shop")


def column_messages(frame: pd.DataFrame, task: str = "binary", folds: int = 5) -> list[str]:
    return check_columns(lockgate.table(frame, target="y"), task, folds, "shop")


def test_clean_tables_are_left_in_peace() -> None:
    assert split_messages(clean()) == []
    assert column_messages(clean()) == []
    grid = clean()[["plan", "y"]].assign(size=np.random.default_rng(1).choice(["s", "m"], 600))
    assert split_messages(grid) == []  # equal rows are no copies where all columns are coarse
    wine = load_wine(as_frame=True).frame.rename(columns={"target": "y"})
    assert check_columns(lockgate.table(wine, target="y"), "regression", 5, "shop") == []
    tumours = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "y"})
    assert column_messages(tumours) == []


def coarse(name: str, rows: int = 1500) -> pd.DataFrame:
    """Honest rows of columns that are coarse, in each its way."""
    rng = np.random.default_rng(3)
    age = rng.integers(18, 91, rows)
    frame = {
        "age": lambda: {"age": age},
        "age and sex": lambda: {"age": age, "sex": rng.choice(["f", "m"], rows)},
        "height": lambda: {"height": rng.normal(170, 10, rows).round(1)},
        "dependent": lambda: {"age": age, "years": np.clip(age - 18 - rng.poisson(3, rows), 0, 50)},
        "town and zip": lambda: {
            "zip": (z := rng.integers(0, 200, rows)).astype(str),
            "town": (z // 3).astype(str),
        },
        "amounts, often none": lambda: {
            "gain": np.where(rng.random(rows) < 0.9, 0.0, rng.gamma(2, 500, rows)),
            "loss": np.where(rng.random(rows) < 0.9, 0.0, rng.gamma(2, 500, rows)),
            "plan": rng.choice(["a", "b", "c"], rows),
        },
        "measured now and then": lambda: {
            name: np.where(rng.random(rows) < 0.9, np.nan, rng.normal(size=rows))
            for name in ("p", "q", "r")
        },
        "remarks, often none": lambda: {
            "note": [f"a text {k}" if k % 10 == 0 else None for k in range(rows)],
            "plan": rng.choice(["a", "b", "c"], rows),
        },
        "answers": lambda: {
            f"q{k}": np.clip(rng.integers(1, 3, rows) + (age > 50), 1, 3) for k in range(5)
        },
    }[name]()
    return pd.DataFrame(frame).assign(y=np.where(age / 20 + rng.normal(size=rows) > 3, "yes", "no"))


@pytest.mark.parametrize(
    "name",
    [
        "age",
        "age and sex",
        "height",
        "dependent",
        "town and zip",
        "answers",
        "amounts, often none",
        "measured now and then",
        "remarks, often none",
    ],
)
def test_rows_of_coarse_columns_are_no_copies(name: str) -> None:
    assert split_messages(coarse(name)) == []


def test_copies_of_coarse_rows_are_found() -> None:
    rng = np.random.default_rng(4)
    survey = pd.DataFrame(rng.integers(0, 10, (400, 12))).rename(columns=lambda k: f"q{k}")
    survey["y"] = np.where(survey["q0"] > rng.normal(5, 3, 400), "yes", "no")
    rounded = clean(400)[["a", "b", "y"]].round(2)
    for frame in (survey, rounded):
        assert split_messages(frame) == []
        doubled = pd.concat([frame, frame]).sample(frac=1, random_state=1, ignore_index=True)
        messages = split_messages(doubled)
        assert "duplicates of rows" in messages[0]
        with_ids = doubled.assign(number=np.arange(len(doubled)))
        (message,) = (text for text in split_messages(with_ids) if "duplicates" in text)
        assert "duplicates but for number of rows" in message
        assert "after lockgate run loader.shop.id=number" in message


def test_a_text_that_stands_twice_is_a_copy() -> None:
    texts = [f"message number {k} of this list" for k in range(300)]
    frame = pd.DataFrame({"message": texts * 2, "y": ["no", "yes"] * 300})
    assert "duplicates of rows" in split_messages(frame)[0]


def test_a_class_that_only_later_rows_have_is_refused() -> None:
    frame = clean().assign(day=pd.date_range("2026-01-01", periods=600))
    frame.loc[597:, "y"] = "perhaps"
    parts = split_rows(lockgate.table(frame, target="y", time="day"), Split(), 1)
    with pytest.raises(lockgate.SchemaViolation) as raised:
        check_classes(parts)
    assert "3 test rows of class 'perhaps' of y, which no training row has" in str(raised.value)
    assert "merge rare classes" in str(raised.value)
    frame.loc[0, "y"] = "perhaps"
    check_classes(split_rows(lockgate.table(frame, target="y", time="day"), Split(), 1))


def test_copies_on_both_sides_are_counted_and_a_group_is_proposed() -> None:
    frame = clean(400)
    frame["person"] = np.arange(400) * 10.5  # not among the features of the model
    doubled = pd.concat([frame, frame]).sample(frac=1, random_state=1, ignore_index=True)
    (message,) = split_messages(doubled, id="person")
    assert "test rows" in message
    assert "duplicates of rows that the model is trained or tuned on" in message
    assert "lockgate run rows.duplicates=drop, or keep those of one person together" in message
    assert "loader.shop.group=person" in message
    (message,) = split_messages(doubled.drop(columns="person"))
    assert "group=COLUMN" in message
    assert split_messages(doubled, by="group", group="person") == []
    table, count = drop_duplicates(lockgate.table(doubled, target="y"), RowRules(duplicates="drop"))
    assert (len(table), count) == (400, 400)
    assert drop_duplicates(table, RowRules()) == (table, 0)


def test_rows_that_contradict_each_other_are_counted() -> None:
    frame = clean(300)
    other = frame[:40].assign(y=np.where(frame["y"][:40] == "yes", "no", "yes"))
    (message,) = split_messages(pd.concat([frame, other], ignore_index=True))
    assert "rows have the same features as others, and another y" in message


def test_dates_and_a_random_split_are_said() -> None:
    frame = clean().assign(sold=pd.date_range("2026-01-01", periods=600))
    (message,) = split_messages(frame)
    assert "lockgate run loader.shop.time=sold" in message
    assert split_messages(frame, time="sold") == []


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("number", np.arange(600) + 7),
        ("shuffled", np.random.default_rng(0).permutation(600) + 1000),
        ("code", [f"c{k}" for k in range(600)]),
    ],
)
def test_an_id_among_the_features_is_named(column: str, values: object) -> None:
    table = lockgate.table(
        clean().assign(**{column: values}),
        target="y",
        kinds={"code": "category"} if column == "code" else None,
    )
    (message,) = check_columns(table, "binary", 5, "shop")
    assert f"column {column} looks like an id: 600 distinct values" in message


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("kind", ["number", "category", "date"])
def test_a_leak_is_named_with_its_figure(task: str, kind: str) -> None:
    frame, rng = clean(900), np.random.default_rng(1)
    signal = rng.integers(0, 3, 900)
    frame["y"] = {"binary": signal > 0, "multiclass": signal * 1.0, "regression": signal * 2.5}[
        task
    ]
    if task != "regression":
        frame["y"] = frame["y"].map(str)
    leak: dict[str, object] = {
        "number": signal * 100 + rng.normal(size=900),
        "category": pd.Series(signal).map({0: "low", 1: "mid", 2: "high"}),
        "date": pd.Timestamp("2026-01-01") + pd.to_timedelta(signal * 30 + rng.random(900), "D"),
    }
    (message,) = column_messages(frame.assign(later=leak[kind]), task)
    assert "column later alone all but determines y" in message
    assert "data.leave_out=[later]" in message
    assert column_messages(frame, task) == []


def test_unusual_targets_are_named() -> None:
    names = clean(400)
    names["y"] = [f"n{k}" if k < 300 else "other" for k in range(400)]
    (message,) = column_messages(names, "multiclass")
    assert "301 classes, 300 of them in a single training row" in message
    counts = clean().assign(y=np.random.default_rng(0).poisson(3, 600))
    assert "taken for classes" in column_messages(counts, "multiclass")[0]
    few = clean()
    few.loc[:2, "y"] = "maybe"
    (message,) = column_messages(few, "multiclass")
    assert "class 'maybe' of y has 3 training rows, for 5 folds" in message


def test_messages_do_not_depend_on_the_order_of_rows() -> None:
    frame = pd.concat([clean(200)] * 2, ignore_index=True)
    table: Table = lockgate.table(frame, target="y")
    turned: Table = lockgate.table(frame[::-1].reset_index(drop=True), target="y")
    assert check_columns(table, "binary", 5, "s") == check_columns(turned, "binary", 5, "s")
