"""Columns of 32 and 16 bits: the same numbers from arrays, files and requests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import lockgate
from lockgate.batch.predict_file import predict_file
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.row_cells import build_cell_readers
from lockgate.models.bundle.open import Bundle
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.runtime.model import PackedModel

RATES = [0.1, 0.3, 0.7]


@pytest.fixture(params=["float32", "float16", "Float32", "float[pyarrow]"])
def frame(request: pytest.FixtureRequest) -> pd.DataFrame:
    rates = pd.Series(np.tile(RATES, 100)).astype(request.param)
    return pd.DataFrame({"rate": rates, "n": np.random.default_rng(0).normal(size=300)})


def packed(frame: pd.DataFrame, path: Path) -> tuple[Bundle, np.ndarray]:
    """Pack a model that depends on the exact values of the rates."""
    y = (np.arange(300) % 3 == 0).astype(int)
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["rate"]), remainder="passthrough"
    )
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, y)
    return lockgate.pack(model, frame, y, path=path), model.predict_proba(frame)[:, 1]


def test_files_and_rows_have_the_numbers_of_training(frame: pd.DataFrame, tmp_path: Path) -> None:
    bundle, original = packed(frame, tmp_path / "m")
    as_doubles = frame.assign(rate=np.tile(RATES, 100))
    as_doubles.to_csv(tmp_path / "in.csv", index=False)
    as_doubles.to_parquet(tmp_path / "in.parquet")
    records = json.loads(as_doubles.to_json(orient="records", double_precision=15))
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(row) + "\n" for row in records))
    answered = {
        "frame": bundle.predict(frame).score,
        "doubles": bundle.predict(as_doubles).score,
        "one by one": [bundle.predict_one(row).score for row in as_doubles.to_dict("records")],
    }
    for name in ("in.csv", "in.parquet", "in.ndjson"):
        predict_file(bundle, tmp_path / name, tmp_path / f"{name}.out.parquet")
        answered[name] = pq.read_table(tmp_path / f"{name}.out.parquet")["score"].to_pylist()
    for path, scores in answered.items():
        assert np.allclose(scores, original, rtol=0, atol=1e-12), path


@given(st.floats(-1e30, 1e30), st.sampled_from([16, 32]))
def test_a_row_and_a_column_round_alike(number: float, bits: int) -> None:
    column = ColumnInput("x", "number", bits=bits)
    with np.errstate(over="ignore"):
        expected = float(np.array(number).astype(f"f{bits // 8}"))
    ((_, read, _),) = build_cell_readers([column])
    if np.isinf(expected):
        with pytest.raises(lockgate.SchemaViolation, match="infinite"):
            read(number)
        return
    assert read(number) == expected
    assert read_columns([column], {"x": [number]})[0][0][0] == expected


def test_categories_of_32_bits_are_known_by_their_doubles(tmp_path: Path) -> None:
    rates = pd.Series(np.tile(RATES, 100).astype("float32")).astype("category")
    frame = pd.DataFrame({"rate": rates, "n": np.random.default_rng(0).normal(size=300)})
    bundle, original = packed(frame, tmp_path / "m")
    for rate, score, n in zip(rates[:3].tolist(), original, frame["n"], strict=False):
        for cell in (rate, str(rate), str(np.float32(rate))):
            assert bundle.predict_one({"rate": cell, "n": n}).score == pytest.approx(
                score, abs=1e-12
            )


def test_cells_of_nested_arrow_types_are_refused_and_missing_ones_missing(tmp_path: Path) -> None:
    frame = pd.DataFrame({"rate": ["a", "None"] * 150, "n": np.arange(300.0)})
    bundle, _ = packed(frame, tmp_path / "m")
    encoded = pa.RunEndEncodedArray.from_arrays([1, 2], ["a", None])
    output = bundle.predict(pa.table({"rate": encoded, "n": [1.0, 2.0]}))
    assert (output.missing, output.unknown) == ({"rate": 1}, {})
    with pytest.raises(lockgate.SchemaViolation, match="expected a single category"):
        bundle.predict(pa.table({"rate": [["a"], None], "n": [1.0, 2.0]}))


def test_columns_that_pandas_made_the_index_are_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, 2.5, 3.5], "signal": [7, 2, 1], "y": [0, 1, 0]})
    frame.set_index("signal").to_parquet(tmp_path / "rows.parquet")
    table = lockgate.read_table(tmp_path / "rows.parquet", target="y")
    assert [column.name for column in table.schema.features] == ["x", "signal"]
    frame.set_index(frame["x"].rename("x") * 2).to_parquet(tmp_path / "rows.parquet")
    table = lockgate.read_table(tmp_path / "rows.parquet", target="y")
    assert table.frame["x"].tolist() == [1.5, 2.5, 3.5]


def test_durations_are_refused() -> None:
    column = ColumnInput("x", "number")
    with pytest.raises(lockgate.SchemaViolation, match="expected a number"):
        read_columns([column], {"x": np.array([1, 2], "timedelta64[s]")})


def test_a_model_that_rejects_its_training_rows_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": np.arange(300.0), "x": np.ones(300)})
    model = LogisticRegression().fit(frame, (frame["n"] > 150).rename("y"))
    bundle = lockgate.pack(model, frame, (frame["n"] > 150).rename("y"), path=tmp_path / "m")
    raw = next(bundle.path.glob("*.packed")).read_bytes()
    frame.loc[:199, "x"] = np.inf
    with pytest.raises(lockgate.NotCovered, match="would reject 200 of 300 rows.*infinite"):
        check_parity(model, PackedModel(raw), frame)
