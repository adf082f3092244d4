"""Files as users have them: what is trained on a file predicts that file as it is evaluated."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lockgate
from tests.conftest import Run

ROWS = 600
LONG = pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="a quarter of a minute each: make soak; tests/data reads such files in every way",
)


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    booked = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, ROWS), "D")
    return {
        "account": rng.integers(2**60, 2**61, ROWS),
        "branch": rng.choice(["01067", "80331", "04109", "20095"], ROWS),
        "city": rng.choice(["München", "Köln", "Tübingen"], ROWS),
        "amount": rng.gamma(2, 900, ROWS).round(2),
        "booked": booked.to_numpy(),
        "standing": rng.choice(["true", "false", ""], ROWS),
        "visits": rng.integers(0, 40, ROWS),
    }


def target(cells: dict[str, np.ndarray]) -> np.ndarray:
    south = np.isin(cells["city"], ["München", "Tübingen"])
    signal = south * 2 + (cells["branch"] == "01067") * 2 + (cells["amount"] > 1500) * 2
    return np.where(signal + np.random.default_rng(0).normal(size=ROWS) > 2.5, "default", "repaid")


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def write_bank_export(path: Path) -> list[str]:
    """Semicolons, decimal commas, Latin-1, days first, ids beyond 2**53."""
    cells = columns()
    day = pd.DatetimeIndex(cells["booked"]).strftime("%d.%m.%Y")
    frame = pd.DataFrame({**cells, "booked": day, "outcome": target(cells)})
    frame["amount"] = frame["amount"].map(german)
    frame.to_csv(path, sep=";", index=False, encoding="latin-1")
    return ["--set", "id=account"]


def write_warehouse_export(path: Path) -> list[str]:
    """Parquet with decimals, times in a zone, nullable integers and booleans."""
    cells = columns()
    amounts = [Decimal(str(amount)) for amount in cells["amount"]]
    visits = [None if visit == 7 else int(visit) for visit in cells["visits"]]
    standing = [{"true": True, "false": False, "": None}[one] for one in cells["standing"]]
    table = pa.table(
        {
            **{name: cells[name] for name in ("account", "branch", "city")},
            "amount": pa.array(amounts, pa.decimal128(12, 2)),
            "booked": pa.array(cells["booked"]).cast(pa.timestamp("us", tz="Europe/Berlin")),
            "standing": standing,
            "visits": pa.array(visits, pa.int64()),
            "outcome": target(cells),
        }
    )
    pq.write_table(table, path)
    return ["--set", "id=account", "--set", "time=booked"]


def write_spreadsheet_export(path: Path) -> list[str]:
    """A byte order mark, quotes everywhere, months first, blanks, line breaks in cells."""
    cells = columns()
    month_first = pd.DatetimeIndex(cells["booked"]).strftime("%m/%d/%Y %H:%M")
    city = np.char.add(np.char.add(" ", cells["city"].astype(str)), "\nGermany")
    frame = pd.DataFrame({**cells, "city": city, "booked": month_first, "outcome": target(cells)})
    frame["visits"] = frame["visits"].astype(object).where(cells["visits"] != 7, "")
    frame.drop(columns="account").to_csv(path, index=False, quoting=1, encoding="utf-8-sig")
    return []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("bank.csv", write_bank_export),
        pytest.param("warehouse.parquet", write_warehouse_export, marks=LONG),
        pytest.param("sheet.csv", write_spreadsheet_export, marks=LONG),
    ],
)
def test_a_file_is_predicted_as_it_is_evaluated(
    call: Run, tmp_path: Path, name: str, write: Any
) -> None:
    options = write(tmp_path / name)
    call("lockgate", "init", "p", "--data", name, "--target", "outcome", *options, cwd=tmp_path)
    project = tmp_path / "p"
    call("lockgate", "run", "compressor=[]", "search.folds=2", cwd=project)
    inputs = lockgate.open(project / "bundle").manifest.schema
    kinds = {column.name: column.kind for column in inputs.columns}
    assert kinds["branch"] == "category"
    assert "01067" in inputs["branch"].categories
    assert kinds["amount"] == "number"
    assert kinds["booked"] == "date"
    assert kinds["standing"] == "boolean"
    assert kinds["visits"] == "integer"
    call("lockgate", "predict", "p/bundle", name, "out.parquet", cwd=tmp_path)
    assert not (tmp_path / "out.parquet.rejected.ndjson").exists()
    predicted = pq.read_table(tmp_path / "out.parquet").to_pandas()
    shown = call("lockgate", "evaluate", "p/bundle", name, "--json", cwd=tmp_path).stdout
    metrics = json.loads(shown)["figures"]["classification"]
    accuracy = (predicted["label"].to_numpy() == target(columns())).mean()
    assert metrics["accuracy"]["estimate"] == pytest.approx(accuracy, abs=1e-12)
    assert accuracy > 0.8
