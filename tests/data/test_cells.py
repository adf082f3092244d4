"""Cell rules: the same numbers at training and at serving."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier

import lockgate
from lockgate.contract.recipes import Recipe, Requirements
from lockgate.contract.sections import CellRules
from lockgate.contract.tables import Table
from lockgate.data.cell_rules import build_cell_steps
from lockgate.data.conform import conform_to_schema
from lockgate.data.schema import fit_schema
from lockgate.data.transformers import Bins, Clip, DateParts
from lockgate.modeling.training.fitting import fit
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.testing.examples import example_table


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [20.0, np.nan, 40.0, 60.0],
            "town": pd.Series(["a", "b", None, "a"], dtype=object),
            "when": pd.to_datetime(
                ["2026-01-01 06:00", "2026-02-02 00:00", "2026-03-03 00:00", None]
            ),
        }
    )


def encoded(rules: CellRules, needs: Requirements) -> np.ndarray:
    schema = lockgate.table(frame()).schema
    ((_, step),) = build_cell_steps(schema, rules, needs)
    return np.asarray(step.fit_transform(conform_to_schema(frame(), schema)), dtype=float)


def test_what_a_linear_model_needs_is_scaled_filled_and_one_hot() -> None:
    made = encoded(CellRules(), Requirements())
    assert made.shape == (4, 1 + 3 + 4)
    assert not np.isnan(made).any()
    assert made[:, 0].mean() == pytest.approx(0)


def test_what_trees_need_keeps_gaps_and_order() -> None:
    made = encoded(CellRules(), Requirements(scaled=False, encoding="ordinal", imputed=False))
    assert np.isnan(made[1, 0])
    assert made[:, 1].tolist()[:2] == [0.0, 1.0]
    assert np.isnan(made[2, 1])


def test_an_unknown_category_is_no_category() -> None:
    schema = lockgate.table(frame()).schema
    ((_, step),) = build_cell_steps(schema, CellRules(), Requirements())
    step.fit(frame())
    strange = frame().assign(town="z")
    assert (np.asarray(step.transform(strange))[:, 1:4] == 0).all()


def test_bins_become_columns_and_a_gap_is_in_none() -> None:
    made = encoded(CellRules(bins={"age": [30, 50]}), Requirements())
    assert made[:, -3:].tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("kinds", "rules", "words"),
    [
        ({}, CellRules(bins={"aeg": [1]}), "did you mean 'age'"),
        ({}, CellRules(bins={"age": [2.0, 1.0]}), "expected rising edges"),
        (
            {},
            CellRules(bins={"town": [1.0]}),
            "cells.bins.town: expected a column of numbers, got category",
        ),
        ({"town": "text"}, CellRules(), "town: texts with many different values need a rule"),
    ],
)
def test_what_cannot_be_encoded_is_named(
    kinds: dict[str, str], rules: CellRules, words: str
) -> None:
    schema = lockgate.table(frame(), kinds=kinds).schema
    with pytest.raises(lockgate.SchemaViolation, match=words):
        build_cell_steps(schema, rules, Requirements())


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.floats(0.01, 0.4))
def test_clipping_never_leaves_the_quantiles_and_keeps_order(
    values: list[float], share: float
) -> None:
    column = np.array(values).reshape(-1, 1)
    clip = Clip(share).fit(column)
    made = clip.transform(column)
    assert (made >= clip.low_).all()
    assert (made <= clip.high_).all()
    order = np.argsort(column[:, 0], kind="stable")
    assert (np.diff(made[order, 0]) >= 0).all()


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_each_number_is_in_one_bin_and_a_gap_in_none(values: list[float]) -> None:
    made = Bins([-1.0, 0.0, 2.5]).transform(np.array(values).reshape(-1, 1))
    assert made.sum(axis=1).tolist() == [0.0 if np.isnan(v) else 1.0 for v in values]


def test_dates_become_numbers() -> None:
    made = DateParts().fit(frame()[["when"]]).transform(frame()[["when"]])
    assert made[0].tolist() == [20454.25, 1, 3, 6]
    assert np.isnan(made[3]).all()


def test_a_column_that_is_empty_in_a_fold_is_no_trouble() -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    frame = pd.DataFrame({"late": [np.nan] * 30, "x": np.arange(30.0)})
    schema = lockgate.table(frame).schema
    needs = Requirements(scaled=False, encoding="ordinal", imputed=False)
    ((_, step),) = build_cell_steps(schema, CellRules(), needs)
    model = make_pipeline(step, HistGradientBoostingRegressor(max_iter=3)).fit(frame, frame["x"])
    assert np.isfinite(model.predict(frame.assign(late=3.0))).all()


def test_an_estimator_that_reads_no_nan_gets_none() -> None:
    table = example_table("binary")
    frame = table.frame.copy()
    frame.loc[::7, "colour"] = None
    schema = fit_schema(Table(frame, table.schema))
    features = conform_to_schema(frame, schema)
    train = Table(features.assign(target=frame["target"]), schema)
    needs = Requirements(scaled=False, encoding="ordinal", imputed=True)
    steps = build_cell_steps(train.schema, CellRules(), needs)
    recipe = Recipe(GradientBoostingClassifier(n_estimators=5, random_state=0), "binary", {}, steps)
    estimator = fit(recipe, {}, train)
    later = train.features.assign(colour="never seen")
    cells = [np.asarray(estimator[:-1].transform(part)) for part in (train.features, later)]
    assert not np.isnan(cells[0]).any()
    missing, known, unknown = (
        set(part[rows].tolist())
        for part, rows in (
            (cells[0][:, -1], frame["colour"].isna().to_numpy()),
            (cells[0][:, -1], frame["colour"].notna().to_numpy()),
            (cells[1][:, -1], slice(None)),
        )
    )
    assert (missing, known, unknown) == ({-2}, {0, 1, 2}, {-1})
    packed = PackedModel(pack_estimator(estimator, inputs_of(train.schema.features)).raw)
    rows = pd.concat([train.features, later], ignore_index=True)
    np.testing.assert_allclose(
        packed.predict(rows).score, estimator.predict_proba(rows)[:, 1], atol=1e-12
    )
