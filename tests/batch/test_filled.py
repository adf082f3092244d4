"""Cells that training did not have are counted and reported by every path."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import lockgate
from lockgate.batch.predict_file import predict_file
from lockgate.data.columns.filled import FilledCells
from lockgate.models.bundle.open import Bundle
from tests.conftest import Run


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"city": rng.choice(["Bonn", "Köln"], 200), "age": rng.normal(size=200)})
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), (SimpleImputer(), ["age"])
    )
    target = (frame["age"] > 0).to_numpy()
    fitted = make_pipeline(columns, LogisticRegression()).fit(frame, target)
    return lockgate.pack(fitted, frame, target, path=tmp_path_factory.mktemp("filled") / "m")


def rows(unknown: int) -> pd.DataFrame:
    city = ["Bon"] * unknown + ["Bonn"] * (300 - unknown)
    return pd.DataFrame({"city": city, "age": [0.5, None] * 150})


def test_outputs_carry_counts(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    output = bundle.predict(rows(2))
    assert (output.missing, output.unknown) == ({"age": 150}, {"city": 2})
    assert caplog.messages == []  # less than a hundredth
    assert bundle.predict(rows(0)[::2]).missing == {}


def test_many_unknown_categories_are_reported(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "lockgate.models")
    assert bundle.predict(rows(30)).unknown == {"city": 30}
    assert caplog.messages == [
        "column city: 30 of 300 cells (10.0%) hold categories that training did not have: "
        "'Bon', did you mean 'Bonn'?"
    ]


def test_a_column_that_is_all_missing_is_reported(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    bundle.predict(rows(0).assign(age=np.nan))
    assert caplog.messages == ["column age: all 300 cells are missing, and in training none was"]


def test_a_file_reports_what_its_parts_hold(bundle: Bundle, tmp_path: Path) -> None:
    rows(30).to_csv(tmp_path / "in.csv", index=False)
    result = predict_file(bundle, tmp_path / "in.csv", tmp_path / "out.csv", part_rows=64)
    assert result.filled == FilledCells(300, {"age": 150}, {"city": 30}, {"city": ["Bon"]})
    assert len(result.warnings) == 1


def test_the_command_ends_with_4_beyond_the_share(
    bundle: Bundle, call: Run, tmp_path: Path
) -> None:
    rows(30).to_csv(tmp_path / "in.csv", index=False)
    command = ("lockgate", "predict", str(bundle.path), "in.csv")
    done = call(*command, "a.csv", cwd=tmp_path)
    assert "30 of 300 cells (10.0%) hold categories" in done.stderr
    call(*command, "b.csv", "--max-unknown", "0.1", cwd=tmp_path)
    done = call(*command, "c.csv", "--max-unknown", "0.05", cwd=tmp_path, code=4)
    assert "--max-unknown allows 5.0%" in done.stderr
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 301


def test_cells_of_rejected_rows_are_not_counted(bundle: Bundle, tmp_path: Path) -> None:
    frame = rows(3).assign(age="old")
    frame.loc[0, "age"] = "1.5"
    frame.to_csv(tmp_path / "in.csv", index=False)
    done = predict_file(bundle, tmp_path / "in.csv", tmp_path / "out.csv")
    assert done.rejected_rows == 299
    assert (done.filled.rows, done.filled.missing, done.filled.unknown) == (1, {}, {"city": 1})
