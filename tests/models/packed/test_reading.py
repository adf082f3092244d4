"""Cells are read from whatever holds them; what is refused is named with column, row and value."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import lockgate
from lockgate.data.columns.dates import date_parts
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.transformers import DateParts
from lockgate.models.packed.format import categorical, linear, numeric
from lockgate.models.packed.format.header import Answers
from lockgate.models.packed.format.writer import Builder
from lockgate.models.packed.runtime.model import PackedModel


def model_of(*inputs: ColumnInput) -> PackedModel:
    """Make a model that adds up all cells, categories by their code."""
    builder = Builder(inputs)
    blocks = []
    for place, one in enumerate(inputs):
        if one.kind == "category":
            op = builder.add(categorical.Category, column=place)
            table = builder.array([[float(k)] for k in range(len(one.categories) + 2)])
            blocks.append(builder.add(categorical.Lookup, op, table=table))
        elif one.kind == "date":
            blocks.append(builder.add(numeric.Date, column=place))
        else:
            op = builder.add(numeric.Numbers, columns=(place,))
            blocks.append(builder.add(numeric.Fill, op, values=builder.array([64.0])))
    width = sum(builder.width(one) for one in blocks)
    weights = builder.array([[1.0] * width])
    total = builder.add(linear.Linear, *blocks, weights=weights, bias=builder.array([0.0]))
    return PackedModel(builder.finish("regression", (), Answers(total)))


MIXED = (
    ColumnInput("size", "number"),
    ColumnInput("count", "integer", missing="refuse"),
    ColumnInput("colour", "category", categories=("blue", "red")),
    ColumnInput("place", "category", unknown="refuse", categories=("1", "2")),
)
ROWS = {"size": [1.5, 2.0], "count": [1, 2], "colour": ["red", "pink"], "place": ["1", "2"]}


def holders() -> dict[str, Any]:
    frame = pd.DataFrame(ROWS)
    return {
        "mapping": ROWS,
        "frame": frame,
        "frame of objects": frame.astype(object),
        "frame of categories": frame.astype({"colour": "category", "place": "category"}),
        "nullable frame": frame.convert_dtypes(),
        "arrow": pa.table(ROWS),
        "arrow dictionary": pa.table(
            {**ROWS, "colour": pa.array(ROWS["colour"]).dictionary_encode()}
        ),
        "arrow chunks": pa.concat_tables([pa.table(ROWS).slice(0, 1), pa.table(ROWS).slice(1)]),
        "batch": pa.RecordBatch.from_pydict(ROWS),
        "records": [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)],
        "more columns": {**ROWS, "other": [None, object()]},
        "other order": dict(reversed(ROWS.items())),
    }


@pytest.mark.parametrize("holder", holders())
def test_every_holder_of_rows_gives_the_same_answers(holder: str) -> None:
    model = model_of(*MIXED)
    for engine in ("rows", "columns"):
        assert model.predict(holders()[holder], engine=engine).label.tolist() == [3.5, 8.0]


def test_an_array_holds_the_columns_in_order() -> None:
    model = model_of(ColumnInput("a", "number"), ColumnInput("b", "number"))
    assert model.predict(np.array([[1.0, 2.0], [3.0, np.nan]])).label.tolist() == [3.0, 67.0]
    with pytest.raises(
        lockgate.SchemaViolation, match=r"expected an array of shape \(rows, 2\), got \(2, 3\)"
    ):
        model.predict(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"count": [1, None]},
            "column count has no value in row 1; missing values are not allowed",
        ),
        ({"count": [1, "two"]}, "column count holds 'two' in row 1, expected a number"),
        ({"size": ["1", "2"]}, "column size holds '1' in row 0, expected a number"),
        ({"size": [np.inf, 1.0]}, "column size is infinite in row 0"),
        ({"size": [1.0, 10**400]}, "column size is infinite in row 1"),
        ({"size": [[1], 2]}, r"column size holds \[1\] in row 0"),
        (
            {"place": ["1", "3"]},
            "column place holds '3' in row 1, an unknown category; available: 1, 2",
        ),
        ({"size": [1.0]}, "different lengths"),
    ],
)
def test_what_is_refused_is_named(change: dict[str, Any], words: str) -> None:
    model = model_of(*MIXED)
    rows = {**ROWS, **change}
    with pytest.raises(lockgate.SchemaViolation, match=words):
        model.predict(rows)
    if "lengths" not in words:
        bad = 1 if "row 1" in words else 0
        with pytest.raises(lockgate.SchemaViolation, match=words.partition(" in row")[0]):
            model.predict_one({name: values[bad] for name, values in rows.items()})


def test_a_missing_column_is_named_with_the_nearest() -> None:
    model = model_of(*MIXED)
    rows = {("Size" if name == "size" else name): values for name, values in ROWS.items()}
    with pytest.raises(
        lockgate.SchemaViolation, match="column size is missing, did you mean 'Size'"
    ):
        model.predict(rows)
    with pytest.raises(
        lockgate.SchemaViolation, match="column size is missing, did you mean 'Size'"
    ):
        model.predict_one({name: values[0] for name, values in rows.items()})
    records = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    with pytest.raises(lockgate.SchemaViolation, match="row 0 has no size"):
        model.predict(records)


@pytest.mark.parametrize("row", [None, 3, "text", ["size"], [("size", 1)]])
def test_what_is_no_row_is_said_to_be_none(row: object) -> None:
    with pytest.raises(lockgate.SchemaViolation, match="expected a mapping"):
        model_of(*MIXED).predict_one(row)


@pytest.mark.parametrize(
    "value", [2, 2.0, True + 1, np.int8(2), np.float32(2), Decimal(2), np.bool_(True) + np.int64(1)]
)
def test_every_kind_of_number_is_a_number(value: object) -> None:
    model = model_of(ColumnInput("x", "number"))
    assert model.predict_one({"x": value}).label == 2.0
    assert model.predict({"x": [value]}).label.tolist() == [2.0]


@pytest.mark.parametrize("gap", [None, float("nan"), np.nan, pd.NA, pd.NaT, np.float32("nan")])
def test_every_kind_of_gap_is_a_gap(gap: object) -> None:
    model = model_of(ColumnInput("x", "number"), ColumnInput("c", "category", categories=("a",)))
    assert model.predict_one({"x": gap, "c": "a"}).label == 64.0
    assert model.predict_one({"x": 0, "c": gap}).label == 1.0
    assert model.predict([{"x": 0.0, "c": gap}]).label.tolist() == [1.0]


@pytest.mark.parametrize(
    ("value", "code"),
    [("3", 0.0), (3, 0.0), (3.0, 0.0), (np.float64(3), 0.0), (True, 1.0), (4, 3.0)],
)
def test_whole_numbers_are_one_category_however_they_are_written(
    value: object, code: float
) -> None:
    model = model_of(ColumnInput("c", "category", categories=("3", "True")))
    assert model.predict_one({"c": value}).label == code
    assert model.predict({"c": [value]}).label.tolist() == [code]
    assert model.predict(pd.DataFrame({"c": [value]})).label.tolist() == [code]


def test_numbers_that_an_encoder_does_not_know_are_refused() -> None:
    model = model_of(ColumnInput("level", "integer", unknown="refuse", categories=("1", "2")))
    assert model.predict_one({"level": 2.0}).label == 2.0
    with pytest.raises(lockgate.SchemaViolation, match="level holds 3.0.*available: 1, 2"):
        model.predict_one({"level": 3.0})
    with pytest.raises(lockgate.SchemaViolation, match="level holds 3.0 in row 1"):
        model.predict({"level": [1, 3]})


DATES = [
    "1997-03-01",
    "2026-11-23T14:35:41",
    "1969-12-31T23:59:59.999999",
    "2000-02-29T12:00:00+02:00",
    "1900-01-01",
    "2262-01-01T06:30:00Z",
]


def test_dates_are_read_alike_from_texts_objects_and_frames() -> None:
    model = model_of(ColumnInput("when", "date"))
    texts = model.predict({"when": DATES}).label
    parsed = pd.to_datetime(pd.Series(DATES), format="ISO8601", utc=True)
    objects = [datetime.datetime.fromisoformat(text) for text in DATES]
    for other in (parsed, parsed.dt.tz_localize(None), objects, parsed.dt.tz_convert("Asia/Tokyo")):
        assert model.predict(pd.DataFrame({"when": other})).label.tolist() == texts.tolist()
    for text, wanted in zip(DATES, texts, strict=True):
        assert model.predict_one({"when": text}).label == wanted
    for strange in ("yesterday", 5, True):
        with pytest.raises(lockgate.SchemaViolation, match="when holds .* expected a date"):
            model.predict_one({"when": strange})


def test_parts_of_dates_are_those_of_the_training_step() -> None:
    parsed = pd.to_datetime(pd.Series([*DATES, None]), format="ISO8601", utc=True)
    naive = parsed.dt.tz_localize(None)
    wanted = DateParts().fit_transform(naive.to_frame())
    micros = naive.astype("datetime64[us]").to_numpy().astype(np.int64)
    np.testing.assert_array_equal(date_parts(micros).T, wanted)


def test_refused_rows_can_be_told_apart_instead_of_raised() -> None:
    from lockgate.data.columns.rejections import RejectedRows

    rejected = RejectedRows()
    model = model_of(*MIXED)
    rows = {
        "size": [1.0, "x", 3.0],
        "count": [1, None, None],
        "colour": ["red"] * 3,
        "place": [1] * 3,
    }
    found = model.predict(rows, rejected=rejected)
    assert found.label[0] == 3.0
    assert sorted(rejected.reasons) == [1, 2]
    assert len(rejected.reasons[1]) == 2


def test_no_rows_are_answered_with_none() -> None:
    model = model_of(*MIXED)
    for engine in ("rows", "columns"):
        assert len(model.predict({name: [] for name in ROWS}, engine=engine).label) == 0
    assert len(model.predict([]).label) == 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "expected a DataFrame.*got NoneType"),
        ("text", "expected a DataFrame.*got str"),
        (
            {"x": 1.0},
            "column x is float, expected a sequence of values; for a single row use predict_one",
        ),
        ({"x": "123"}, "column x is str"),
        ({"x": {1, 2}}, "column x is set"),
        (pd.DataFrame({"x": [1.0]}).iloc[0], "column x is float64"),
        (pd.DataFrame([[1.0, 2.0]], columns=["x", "x"]), "column x is duplicated"),
        (
            {"x": pd.Series(pd.date_range("2020", periods=2).astype("datetime64[ns]"))},
            "expected a number",
        ),
        ({"x": pd.Series([1, 2**53 + 1])}, "holds 9007199254740993 in row 1"),
        ({"x": np.array([1 + 2j])}, "expected a number"),
        ({"x": [Decimal("sNaN")]}, "expected a number"),
        ({"x": [datetime.timedelta(1)]}, "expected a number"),
        ({"x": pa.array([1, 2], pa.time64("ns"))}, "expected a number"),
    ],
)
def test_what_holds_no_rows_or_no_numbers_is_said(source: object, words: str) -> None:
    with pytest.raises(lockgate.SchemaViolation, match=words):
        model_of(ColumnInput("x", "number")).predict(source)


def test_masked_cells_are_gaps() -> None:
    values = np.ma.masked_array([1.0, 2.0], [0, 1])
    assert model_of(ColumnInput("x", "number")).predict({"x": values}).label.tolist() == [1.0, 64.0]


@pytest.mark.parametrize(
    "cell",
    [["a"], {"a": 1}, ("a",), {"a"}, np.array(["a"]), 1j, b"a", 10**5000],
    ids=lambda cell: type(cell).__name__,
)
def test_what_is_no_category_is_refused(cell: object) -> None:
    model = model_of(ColumnInput("c", "category", categories=("a",)))
    column = pd.Series([None, "a"], dtype=object)
    column[0] = cell
    for source in ({"c": column}, [{"c": cell}, {"c": "a"}]):
        with pytest.raises(lockgate.SchemaViolation, match="column c holds .* in row 0"):
            model.predict(source)
    with pytest.raises(lockgate.SchemaViolation, match="column c holds"):
        model.predict_one({"c": cell})
    assert model.predict_one({"c": "\ud800"}).label == 2.0


def test_a_category_does_not_depend_on_its_neighbours() -> None:
    model = model_of(ColumnInput("c", "category", categories=("1", "True")))
    rows = [{"c": one} for one in (True, 1, 1.0, False, "1", "True")]
    wanted = [model.predict_one(row).label for row in rows]
    assert wanted == [1.0, 0.0, 0.0, 3.0, 0.0, 1.0]
    assert model.predict(rows).label.tolist() == wanted
    assert model.predict(rows[::-1]).label.tolist() == wanted[::-1]
    truth = model_of(ColumnInput("c", "category", categories=("False", "True")))
    assert [truth.predict_one({"c": one}).label for one in (1, True, 0.0, False, 2)] == [
        1,
        1,
        0,
        0,
        3,
    ]


def test_a_whole_number_that_no_double_holds_is_refused_whatever_stands_beside_it() -> None:
    model = model_of(ColumnInput("a", "number"))
    for beside in ([], [2.5], [None], ["x"], [2**70]):
        rejected = RejectedRows()
        model.predict({"a": [2**53 + 1, *beside]}, rejected=rejected)
        assert "9007199254740993" in rejected.reasons[0][0]
    with pytest.raises(lockgate.SchemaViolation, match="9007199254740993"):
        model.predict_one({"a": 2**53 + 1})
