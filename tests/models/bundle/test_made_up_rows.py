"""Made-up rows keep the types of their columns, whatever these hold."""

from __future__ import annotations

import datetime
import decimal
import os
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

from lockgate.contract.tables import Column, ColumnKind, Schema
from lockgate.models.bundle.made_up_rows import make_up_rows

DAYS = pd.date_range("1950-01-01", periods=50, freq="123D")
CASES: list[tuple[ColumnKind, pd.Series]] = [
    ("date", pd.Series(DAYS)),
    ("date", pd.Series(DAYS.tz_localize("Europe/Berlin"))),
    ("date", pd.Series([pd.NaT, *DAYS])),
    ("date", pd.Series(DAYS.strftime("%Y-%m-%d"))),
    ("date", pd.Series([day.date() for day in DAYS], dtype=object)),
    ("integer", pd.Series(range(10_000, 10_050))),
    ("integer", pd.Series([None, *range(50)], dtype="Int64")),
    ("integer", pd.Series([12_345])),
    ("number", pd.Series([0.5, 2.5] * 20, dtype="float32")),
    ("number", pd.Series([-1.7e308, 1.7e308] * 20)),
    ("number", pd.Series([float("nan")] * 40)),
    ("number", pd.Series([decimal.Decimal(k) for k in range(40)], dtype=object)),
    ("category", pd.Series([1, "a", 2.5, None] * 10, dtype=object)),
    ("category", pd.Series(["a", "b"] * 20).astype("category")),
    ("category", pd.Series(["a", None] * 20, dtype="string")),
    ("boolean", pd.Series([True, False] * 20)),
    ("boolean", pd.Series([True, None] * 20, dtype="boolean")),
    ("boolean", pd.Series([0.0, 1.0] * 20)),
    ("text", pd.Series(["good morning", None] * 20, dtype=object)),
]


@pytest.mark.parametrize(("kind", "cells"), CASES)
def test_personal_cells_of_every_type_are_replaced_by_their_like(
    kind: ColumnKind, cells: pd.Series
) -> None:
    frame = pd.DataFrame({"address": cells, "x": range(len(cells))})
    schema = Schema((Column("address", kind), Column("x", "integer")))
    made_up = make_up_rows(frame, schema, 32)
    assert len(made_up) == min(32, len(cells))
    assert made_up["address"].dtype == cells.dtype
    assert made_up["x"].isin(frame["x"]).all()
    assert bool(made_up["address"].isna().any()) <= bool(cells.isna().any())
    present: Any = made_up["address"].dropna()
    if kind in ("number", "integer") and len(present):
        assert present.astype(float).between(*(float(f(cells.dropna())) for f in (min, max))).all()
    if kind == "date" and isinstance(cells.iloc[-1], datetime.date | pd.Timestamp):
        assert present.between(cells.min(), cells.max()).all()


def test_made_up_texts_are_the_same_in_every_process() -> None:
    program = (
        "import pandas as pd\n"
        "from lockgate.contract.tables import Column, Schema\n"
        "from lockgate.models.bundle.made_up_rows import make_up_rows\n"
        "frame = pd.DataFrame({'note': ['the quick brown fox jumps over a lazy dog'] * 40})\n"
        "print(make_up_rows(frame, Schema((Column('note', 'text'),)), 4).to_csv())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
