"""The loaders of workbooks and of folders of Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.builtin.loaders.duckdb import Duckdb
from lockgate.builtin.loaders.excel import Excel
from lockgate.builtin.loaders.parquet import Parquet


def rows(count: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "zip": rng.choice(["01067", "80331", "NA"], count),
            "size": rng.normal(size=count).round(3),
            "items": rng.integers(0, 9, count),
            "paid": rng.random(count) < 0.5,
            "day": pd.date_range("2026-01-01", periods=count),
            "y": rng.choice(["no", "yes"], count),
        }
    )


def workbook(folder: Path, frame: pd.DataFrame | None = None, **options: Any) -> Path:
    path = folder / "data" / "raw" / "shop.xlsx"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = rows() if frame is None else frame
    with pd.ExcelWriter(path, engine="xlsxwriter") as writer:
        frame.to_excel(writer, sheet_name="orders", index=False, **options)
        pd.DataFrame({"a": ["x", "y"]}).to_excel(writer, sheet_name="other", index=False)
    return path


def load(plugin: Any, root: Path) -> lockgate.Table:
    table: lockgate.Table = plugin.load(lockgate.LoadRequest(root=str(root)))
    return table


def test_a_sheet_is_read_as_its_cells_are(tmp_path: Path) -> None:
    frame = rows()
    frame.loc[::7, "size"] = np.nan
    workbook(tmp_path, frame)
    table = load(Excel(path="data/raw/shop.xlsx", target="y"), tmp_path)
    expected = lockgate.table(frame, target="y")
    assert [(c.name, c.kind) for c in table.schema.columns] == [
        (c.name, c.kind) for c in expected.schema.columns
    ]
    pd.testing.assert_frame_equal(table.frame, expected.frame, check_dtype=False)
    assert "NA" in set(table.frame["zip"])  # a text is a text


def test_sheets_and_rows_above_the_names_are_chosen(tmp_path: Path) -> None:
    workbook(tmp_path, startrow=3)
    table = load(Excel(path="data/raw/shop.xlsx", target="y", skip_rows=3), tmp_path)
    assert len(table) == 60
    assert len(load(Excel(path="data/raw/shop.xlsx", sheet="other"), tmp_path)) == 2


def test_names_of_columns_are_checked(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1, 2, None], [3, 4, None], [5, 6, None]], columns=["a", "b", ""])
    workbook(tmp_path, frame)
    assert list(load(Excel(path="data/raw/shop.xlsx"), tmp_path).frame) == ["a", "b"]
    workbook(tmp_path, frame.fillna(7))
    with pytest.raises(lockgate.SchemaViolation, match="column 3 of the sheet has no name"):
        load(Excel(path="data/raw/shop.xlsx"), tmp_path)
    workbook(tmp_path, frame.set_axis(["a", "a", ""], axis=1))
    with pytest.raises(lockgate.SchemaViolation, match="column a is duplicated"):
        load(Excel(path="data/raw/shop.xlsx"), tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sheet": "order"}, "has no sheet 'order'; available: orders, other"),
        ({"path": "data/raw/broken.xlsx"}, "broken.xlsx cannot be read as a workbook"),
        ({"path": "data/raw/none.xlsx"}, "none.xlsx is missing.*shop.xlsx"),
        ({"path": "../shop.xlsx"}, "not below data/raw"),
        ({"sha256": "0" * 64}, "expected sha256 000"),
        ({"skip_rows": 1000}, "has no rows|cannot be read"),
        ({"target": "z"}, "unknown target column 'z'"),
    ],
)
def test_mistakes_are_named(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = workbook(tmp_path)
    path.with_name("broken.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(lockgate.LockgateError, match=message):
        load(Excel(**{"path": "data/raw/shop.xlsx", **settings}), tmp_path)


def folder_of(root: Path, parts: int = 3) -> Path:
    folder = root / "data" / "raw" / "orders"
    frame = rows()
    for k, part in enumerate(np.array_split(np.arange(60), parts)):
        path = folder / f"year={2024 + k}" / "part.parquet"
        path.parent.mkdir(parents=True)
        frame.iloc[part].to_parquet(path, index=False)
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "x.parquet").write_bytes(b"half a file")
    return folder


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    folder_of(tmp_path)
    table = load(Parquet(path="data/raw/orders", target="y"), tmp_path)
    expected = lockgate.table(rows(), target="y")
    assert table.frame["year"].tolist() == [2024] * 20 + [2025] * 20 + [2026] * 20
    pd.testing.assert_frame_equal(
        table.frame.drop(columns="year"), expected.frame, check_dtype=False
    )


def test_partitions_may_be_missing_and_row_numbers_are_no_columns(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "raw" / "orders"
    for value in ("2025", "__HIVE_DEFAULT_PARTITION__"):
        path = folder / f"year={value}" / "part.parquet"
        path.parent.mkdir(parents=True)
        rows(20).iloc[::2].to_parquet(path)  # with an index of pandas
    table = load(Parquet(path="data/raw/orders", target="y"), tmp_path)
    assert list(table.frame) == [*rows(), "year"]
    assert table.frame["year"].isna().sum() == 10
    rows(20).assign(size="a text").to_parquet(folder / "year=2025" / "part.parquet")
    with pytest.raises(lockgate.DataError, match="orders hold columns of different types"):
        load(Parquet(path="data/raw/orders"), tmp_path)


def test_a_folder_is_pinned_by_all_of_its_files(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with pytest.raises(lockgate.DigestMismatch) as raised:
        load(Parquet(path="data/raw/orders", sha256="0" * 64), tmp_path)
    pinned = Parquet(path="data/raw/orders", sha256=raised.value.actual)
    assert len(load(pinned, tmp_path)) == 60
    (folder / "year=2024" / "part.parquet").rename(folder / "year=2024" / "other.parquet")
    with pytest.raises(lockgate.DigestMismatch):
        load(pinned, tmp_path)


def test_faults_of_a_folder_are_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    rows().drop(columns="size").to_parquet(folder / "year=2026" / "part.parquet")
    with pytest.raises(lockgate.DataError, match="year=2026/part.parquet has other columns.*size"):
        load(Parquet(path="data/raw/orders"), tmp_path)
    (folder / "year=2026" / "part.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(lockgate.DataError, match="orders"):
        load(Parquet(path="data/raw/orders"), tmp_path)
    (tmp_path / "data" / "raw" / "empty").mkdir()
    with pytest.raises(lockgate.DataError, match="empty has no Parquet files"):
        load(Parquet(path="data/raw/empty"), tmp_path)


def duck(query: str, **settings: Any) -> Any:
    return Duckdb(query=query, **{"target": "y", **settings})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    raw = tmp_path / "data" / "raw"
    (raw / "orders").mkdir(parents=True)
    frame = rows()
    for half in (0, 1):
        part = frame.iloc[half * 30 : half * 30 + 30].assign(id=range(half * 30, half * 30 + 30))
        part.drop(columns="y").to_parquet(raw / "orders" / f"{half}.parquet")
    frame.assign(id=range(60))[["id", "y"]].to_csv(raw / "answers.csv", index=False)
    (tmp_path / "secret.csv").write_text("a\n1\n")
    return tmp_path


JOIN = """SELECT o.* EXCLUDE (id), y, CAST(size AS DECIMAL(9, 3)) AS money
FROM 'data/raw/orders/*.parquet' o JOIN 'data/raw/answers.csv' USING (id)
WHERE day >= $since AND day < $until AND items >= $least ORDER BY id"""


def test_a_query_joins_the_files_of_the_project(shop: Path) -> None:
    plugin = duck(JOIN, parameters={"least": 0})
    table = load(plugin, shop)
    expected = rows()
    assert table.frame["zip"].tolist() == expected["zip"].tolist()
    assert table.schema["zip"].kind == "category"
    assert table.schema["day"].kind == "date"
    assert table.schema["money"].kind == "number"
    assert np.allclose(table.frame["money"], expected["size"])
    assert table.digest == load(plugin, shop).digest
    window = plugin.load(
        lockgate.LoadRequest(root=str(shop), since="2026-01-10", until="2026-01-20")
    )
    assert len(window) == 10
    least = load(duck(JOIN, parameters={"least": 5}), shop)
    assert len(least) == (expected["items"] >= 5).sum()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM 'data/raw/missing.parquet'", "failed: .*No files found"),
        ("SELECT * FROM 'secret.csv'", "failed: .*(permission|disabled)"),
        ("SELECT * FROM read_csv('/etc/passwd')", "failed: .*disabled by configuration"),
        (
            "COPY (SELECT 1) TO 'data/raw/stolen.csv'",
            "expected a single SELECT statement, got COPY",
        ),
        ("SET enable_external_access = true", "expected a single SELECT"),
        ("SELECT 1 AS y; SELECT 2 AS y", "expected a single SELECT.*got SELECT, SELECT"),
        ("", "expected a single SELECT statement, got nothing"),
        ("SELEKT 1", "failed: .*[Ss]yntax"),
        ("SELECT 1 AS y WHERE false", "returned no rows"),
        ("SELECT 1 AS y, 2 AS y", "returns column y twice"),
        ("SELECT * FROM 'data/raw/answers.csv' WHERE y = $country", "give it a value"),
    ],
)
def test_a_query_that_fails_or_reads_elsewhere_is_refused(
    shop: Path, query: str, words: str
) -> None:
    with pytest.raises(lockgate.LockgateError, match=words):
        load(duck(query), shop)
    assert not (shop / "data" / "raw" / "stolen.csv").exists()


def test_parameters_of_a_query_are_those_that_it_names(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    query = "SELECT *, 'costs $5 or $price' AS note FROM 'data/raw/answers.csv' ORDER BY id"
    assert load(duck(query), shop).frame["note"].unique().tolist() == ["costs $5 or $price"]
    with pytest.raises(lockgate.UsageError, match=r"no parameter \$price; it has none"):
        load(duck(query, parameters={"price": 1}), shop)
    assert not caplog.records
    load(duck(query.removesuffix(" ORDER BY id")), shop)
    assert "the query has no order (ORDER BY" in caplog.text
