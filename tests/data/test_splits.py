"""Splits that do not leak."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lockgate
from lockgate.contract.sections import Split
from lockgate.data.schema import compute_digest
from lockgate.data.splits import make_folds, resolve_method, split_rows


def dated(rows: int = 400, horizon: int = 0, group: bool = False) -> lockgate.Table:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": np.arange(rows),
            "y": rng.integers(0, 2, rows),
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 100, rows), "D"),
            "who": rng.integers(0, rows // 4, rows).astype(str),
        }
    )
    roles = {"group": "who"} if group else {"id": "who"}
    return lockgate.table(frame, target="y", time="when", horizon_days=horizon, **roles)


def test_auto_prefers_time_then_group_then_classes() -> None:
    frame = pd.DataFrame({"y": [0, 1], "t": pd.to_datetime(["2026", "2027"]), "g": ["a", "b"]})
    assert resolve_method(lockgate.table(frame, target="y", time="t", group="g"), Split()) == "time"
    assert resolve_method(lockgate.table(frame, target="y", group="g"), Split()) == "group"
    assert resolve_method(lockgate.table(frame, target="y"), Split()) == "stratified"


@given(horizon=st.integers(0, 25), seed=st.integers(0, 1000))
def test_by_time_no_target_of_training_is_known_after_the_first_test_row(
    horizon: int, seed: int
) -> None:
    whole = dated(horizon=horizon)
    parts = split_rows(whole, Split(), seed)
    first = parts.test.frame["when"].min()
    for part in (parts.train, parts.tune):
        assert (part.frame["when"] + pd.Timedelta(days=horizon)).max() <= first
    if horizon:
        first = parts.tune.frame["when"].min()
        assert (parts.train.frame["when"] + pd.Timedelta(days=horizon)).max() <= first
    counted = len(parts.train) + len(parts.tune) + len(parts.test) + sum(parts.dropped.values())
    assert counted == len(whole)


@given(seed=st.integers(0, 1000))
def test_by_group_no_group_is_on_two_sides(seed: int) -> None:
    whole = dated(group=True)
    parts = split_rows(whole, Split(by="group"), seed)
    sides = [set(part.frame["who"]) for part in (parts.train, parts.tune, parts.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_rows_that_come_later_move_no_group() -> None:
    small, large = dated(group=True), dated(rows=800, group=True)
    few, many = (split_rows(t, Split(by="group"), 7) for t in (small, large))
    stayed = set(few.test.frame["who"]) & set(large.frame["who"])
    assert stayed
    assert stayed <= set(many.test.frame["who"])


@given(share=st.floats(0.1, 0.5), seed=st.integers(0, 100))
def test_stratified_parts_have_equal_shares_of_each_class(share: float, seed: int) -> None:
    frame = pd.DataFrame({"x": range(1000), "y": [0] * 900 + [1] * 100})
    parts = split_rows(lockgate.table(frame, target="y"), Split(test=share), seed)
    assert abs(parts.test.frame["y"].mean() - 0.1) < 0.02
    assert abs(len(parts.test) / 1000 - share) < 0.02


@pytest.mark.parametrize("way", ["time", "group", "stratified", "random"])
def test_equal_seeds_give_equal_parts_and_others_other_ones(way: str) -> None:
    whole = dated(group=way == "group")
    one, same, other = (split_rows(whole, Split(by=way), seed) for seed in (1, 1, 2))
    digest, equal, different = (
        compute_digest(parts.train.frame, parts.train.schema) for parts in (one, same, other)
    )
    assert digest == equal
    if way != "time":
        assert digest != different


@pytest.mark.parametrize("way", ["time", "group", "stratified", "random"])
def test_folds_never_fit_on_what_they_measure(way: str) -> None:
    train = dated(group=way == "group")
    folds = make_folds(train, way, 5, 0)
    assert len(folds) == 5
    when = train.frame["when"].to_numpy()
    for fold in folds:
        assert not set(fold.fit) & set(fold.measure)
        if way == "time":
            assert when[fold.fit].max() <= when[fold.measure].min()
        if way == "group":
            names = train.frame["who"].to_numpy()
            assert not set(names[fold.fit]) & set(names[fold.measure])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Split(by="group"), "declares no group column"),
        (Split(by="time", test_from="2030-01-01"), "no rows for test"),
        (Split(by="time", test_from="2020-01-01"), "no rows for train"),
        (Split(by="time", test_from="soon"), "'soon' is not a date"),
        (Split(by="random", test_from="2026-02-01"), "the split is by random"),
    ],
)
def test_an_impossible_split_is_named(rules: Split, words: str) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=words):
        split_rows(dated(), rules, 0)


def test_folds_by_time_wait_until_the_target_is_known() -> None:
    train = dated(horizon=10)
    when = train.frame["when"].to_numpy()
    for fold in make_folds(train, "time", 4, 0):
        assert when[fold.fit].max() + np.timedelta64(10, "D") <= when[fold.measure].min()


def test_folds_of_one_class_say_what_to_do() -> None:
    frame = dated().frame.sort_values("when", ignore_index=True)
    frame["y"] = (np.arange(len(frame)) > 390).astype(int)
    with pytest.raises(lockgate.SchemaViolation, match="more than one target value"):
        make_folds(lockgate.table(frame, target="y", time="when"), "time", 4, 0)
