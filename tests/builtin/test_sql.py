"""The loader ``sql`` on real databases: SQLite files, and a PostgreSQL server of Debian's packages."""

from __future__ import annotations

import datetime
import decimal
import logging
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import psycopg
import pytest

import lockgate
from lockgate.builtin.loaders.sql import Sql
from tests.in_process import run_here

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
USER = "postgres"


class Server(NamedTuple):
    """The folder of a server, and what starts it, or stops it at once."""

    folder: Path
    act: Callable[[str], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    if BINARIES is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path("/tmp") / f"lockgate-pg-{os.getpid()}"  # its socket's path must be short
    folder.mkdir()
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # it does not run as root
        shutil.chown(folder, USER)
        user = {"user": USER, "group": USER, "extra_groups": []}

    def run(*argv: str, check: bool = True) -> None:
        subprocess.run(argv, check=check, capture_output=True, cwd=folder, **user)

    def act(action: str) -> None:
        options = f"-c listen_addresses= -k {folder} -c fsync=off"
        log = (
            ("-l", str(folder / "log"), "-o", options) if action == "start" else ("-m", "immediate")
        )
        run(str(BINARIES / "pg_ctl"), action, "-w", "-D", str(folder / "data"), *log)

    run(str(BINARIES / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", USER, "-N")
    act("start")
    yield Server(folder, act)
    run(
        str(BINARIES / "pg_ctl"), "stop", "-m", "immediate", "-D", str(folder / "data"), check=False
    )
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    return f"postgresql+psycopg://{USER}@/postgres?host={server.folder}"


@pytest.fixture(scope="module")
def orders(server: Server, address: str) -> str:
    """A table with every kind of column that a shop has."""
    with psycopg.connect(f"host={server.folder} user={USER} dbname=postgres") as connection:
        connection.execute(
            "CREATE TABLE orders (id integer PRIMARY KEY, zip text, amount numeric(10, 2), big bigint,"
            " paid boolean, day date, at timestamptz, note text, churned text)"
        )
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("CREATE SEQUENCE numbers")
        for k in range(400):
            connection.execute(
                "INSERT INTO orders VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    k,
                    f"0{k % 5}067",
                    decimal.Decimal(k) / 10,
                    2**40 + k,
                    k % 3 == 0 if k % 10 else None,
                    datetime.date(2026, 1, 1) + datetime.timedelta(k % 300),
                    datetime.datetime(
                        2026, 1, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
                    ),
                    None if k % 7 == 0 else "late",
                    "yes" if k % 4 else "no",
                ),
            )
    return address


def sqlite_file(folder: Path, rows: int = 120) -> Path:
    path = folder / "data" / "raw" / "shop.db"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, size REAL, zip TEXT, day TEXT, y TEXT)"
        )
        connection.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?)",
            [
                (
                    k,
                    None if k % 9 == 0 else k / 7,
                    f"0{k % 4}067",
                    f"2026-01-{k % 28 + 1:02}",
                    "yes" if k % 3 else "no",
                )
                for k in range(rows)
            ],
        )
    return path


def load(root: Path, request: dict[str, Any] | None = None, **settings: Any) -> lockgate.Table:
    loader = Sql(**{"url": "sqlite:///data/raw/shop.db", **settings})
    return loader.load(lockgate.LoadRequest(root=str(root), **(request or {})))


def test_a_table_of_sqlite_is_what_a_file_of_it_is(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path)
    roles = {"target": "y", "id": "id", "time": "day"}
    table = load(tmp_path, table="orders", **roles, chunk_rows=7)
    csv = tmp_path / "orders.csv"
    with sqlite3.connect(path) as connection:
        pd.read_sql("SELECT * FROM orders", connection).to_csv(csv, index=False)
    of_file = lockgate.read_table(csv, **roles)
    pd.testing.assert_frame_equal(table.frame, of_file.frame, check_dtype=False)
    assert [(c.name, c.kind) for c in table.schema.columns] == [
        (c.name, c.kind) for c in of_file.schema.columns
    ]


def test_parameters_and_the_dates_of_the_request_are_bound(tmp_path: Path) -> None:
    sqlite_file(tmp_path)
    query = "SELECT * FROM orders WHERE zip = :zip AND day >= :since AND day < :until ORDER BY id"
    every = load(tmp_path, query=query, parameters={"zip": "01067"}, target="y")
    assert set(every.frame["zip"]) == {"01067"}
    assert len(every) == 30
    dates = {"since": "2026-01-05", "until": "2026-01-10"}
    some = load(tmp_path, dates, query=query, parameters={"zip": "01067"}, target="y")
    assert set(some.frame["day"].astype(str)) <= {f"2026-01-0{d}" for d in range(5, 10)}
    assert 0 < len(some) < len(every)


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://a:secret@db/x", "postgresql://db/x?a=1&password=secret"]
)
def test_a_password_is_refused_before_a_file_has_it(url: str, tmp_path: Path) -> None:
    run_here("init", "shop", cwd=tmp_path)
    root = tmp_path / "shop"
    result = run_here("run", "loader=sql", f"loader.sql.url={url!r}", "--no-run", cwd=root, code=2)
    assert "an address without a password" in result.stderr
    files = [path for path in root.rglob("*") if path.is_file()]
    assert not [path for path in files if b"secret" in path.read_bytes()]


def test_numbers_are_bound_as_numbers(tmp_path: Path) -> None:
    sqlite_file(tmp_path)
    query = "SELECT * FROM orders WHERE id % 2 = :rest AND size * 1 < :size ORDER BY id"
    table = load(tmp_path, query=query, parameters={"rest": 1, "size": 2.5}, target="y")
    assert table.frame["id"].tolist() == [k for k in range(120) if k % 2 and k % 9 and k / 7 < 2.5]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT *, row_number() OVER (ORDER BY id) AS n FROM orders",
        "SELECT * FROM (SELECT * FROM orders ORDER BY id)",
    ],
)
def test_an_order_of_a_part_is_none(
    query: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_file(tmp_path)
    load(tmp_path, query=query, target="y")
    assert "the query has no order" in caplog.text


def test_rows_are_pinned_by_their_digest(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path)
    digest = load(tmp_path, table="orders", target="y").digest
    assert load(tmp_path, table="orders", target="y", sha256=digest).digest == digest
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE orders SET size = 1 WHERE id = 5")
    with pytest.raises(lockgate.DigestMismatch, match="table orders: expected sha256 .*, got"):
        load(tmp_path, table="orders", target="y", sha256=digest)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query": "SELECT 1", "table": "orders"}, "needs either a query or a table"),
        ({}, "needs either a query or a table"),
        ({"query": "SELEC 1"}, "the query failed, and nothing was kept: near .SELEC."),
        ({"table": "order"}, "table order failed: order"),
        ({"query": "SELECT * FROM orders WHERE 0 ORDER BY id"}, "the query returned no rows"),
        ({"query": "SELECT id, id FROM orders ORDER BY id"}, "column id is duplicated"),
        ({"query": "SELECT * FROM orders WHERE zip = :zip ORDER BY id"}, "zip"),
        ({"query": "DELETE FROM orders"}, "readonly database"),
        ({"table": "orders", "target": "z"}, "unknown target column 'z'"),
        ({"table": "orders", "url": "sqlite:///data/raw/other.db"}, "other.db is missing.*shop.db"),
        ({"table": "orders", "url": "sqlite:////etc/passwd"}, "not below data/raw"),
        ({"table": "orders", "url": "nonsense"}, "loader.sql.url: .*expected an address like"),
        (
            {"table": "orders", "url": "oracle7://db/x"},
            "loader.sql.url: .*expected an address like",
        ),
        ({"table": "o", "url": "mysql+mysqldb://r@db/x"}, "or the driver that the url names"),
        (
            {"table": "o", "url": "postgresql+psycopg://a:secret@db/x"},
            "an address without a password",
        ),
        (
            {"table": "o", "url": "postgresql+psycopg://db/x?password=secret"},
            "an address without a password",
        ),
        (
            {"query": "SELECT 1 AS a ORDER BY a", "parameters": {"b": 1}},
            "no parameter :b; it has none",
        ),
        (
            {"query": "SELECT * FROM orders WHERE zip = :zip ORDER BY id"},
            r"loader.sql.query names :zip, which has no value; give it a value: "
            r"'loader.sql.parameters=\{zip: ...\}'",
        ),
        ({"query": "SELECT x'00ff' AS photo, y FROM orders ORDER BY id"}, "photo"),
    ],
)
def test_mistakes_are_named(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    sqlite_file(tmp_path)
    with pytest.raises(lockgate.LockgateError, match=message) as raised:
        load(tmp_path, **settings)
    assert "secret" not in str(raised.value)


def test_a_query_without_an_order_is_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_file(tmp_path)
    with caplog.at_level(logging.WARNING):
        load(tmp_path, query="SELECT * FROM orders", target="y")
    assert "the query has no order (ORDER BY" in caplog.text
    caplog.clear()
    load(tmp_path, table="orders", target="y")  # by its primary key
    load(tmp_path, query="SELECT * FROM orders ORDER BY lower(zip), id", target="y")
    assert not caplog.records


def test_columns_of_postgresql_keep_their_kinds(orders: str) -> None:
    table = load(Path(), url=orders, table="orders", target="churned", id="id", chunk_rows=50)
    kinds = {column.name: column.kind for column in table.schema.columns}
    assert kinds["zip"] == "category"
    assert kinds["amount"] == "number"
    assert kinds["big"] == "integer"
    assert kinds["paid"] == "boolean"
    assert kinds["day"] == kinds["at"] == "date"
    assert table.frame["amount"].iloc[17] == 1.7
    assert pd.to_datetime(table.frame["at"]).iloc[0] == pd.Timestamp("2026-01-01 10:00")
    assert table.frame["paid"].isna().sum() == 40
    assert (
        table.digest == load(Path(), url=orders, table="orders", target="churned", id="id").digest
    )


def test_dates_of_the_request_are_dates_to_postgresql(orders: str) -> None:
    query = "SELECT * FROM orders WHERE day >= :since AND day < :until ORDER BY id"
    table = load(Path(), {"since": "2026-03-01", "until": "2026-04-01"}, url=orders, query=query)
    assert len(table) == table.frame["day"].astype(str).str.startswith("2026-03").sum() == 62


def test_rights_time_limits_and_writes_are_refused_by_the_server(orders: str) -> None:
    with pytest.raises(lockgate.DataError, match="permission denied for table orders"):
        load(
            Path(),
            url=orders.replace(f"//{USER}@", "//reader@"),
            query="SELECT * FROM orders ORDER BY id",
        )
    with pytest.raises(lockgate.DataError, match="statement timeout"):
        load(Path(), url=orders, query="SELECT pg_sleep(9)::text AS x ORDER BY 1", timeout=0.2)
    with pytest.raises(lockgate.DataError, match="failed, and nothing was kept"):
        load(Path(), url=orders, query="DELETE FROM orders RETURNING id")
    with pytest.raises(lockgate.DataError, match="nextval.* in a read-only transaction"):
        load(
            Path(), url=orders, query="SELECT nextval('numbers') AS n, 'a' AS y ORDER BY lower('a')"
        )


def test_a_server_that_dies_in_the_middle_leaves_nothing(server: Server, orders: str) -> None:
    slow = (
        "SELECT g AS id, CASE WHEN g % 2 = 0 THEN 'yes' ELSE 'no' END AS y,"
        " CASE WHEN g % 1000 = 0 THEN pg_sleep(0.02)::text ELSE '' END AS pause"
        " FROM generate_series(1, 1000000) AS g ORDER BY g"
    )
    fetched = threading.Event()

    def progress(items: Any, **_: Any) -> Any:
        for item in items:
            fetched.set()
            yield item

    def stop() -> None:
        fetched.wait(60)
        server.act("stop")

    killer = threading.Thread(target=stop)
    killer.start()
    loader = Sql(url=orders, query=slow, chunk_rows=100)
    try:
        with pytest.raises(lockgate.DataError, match="the query failed, and nothing was kept"):
            loader.load(lockgate.LoadRequest(progress=progress))
    finally:
        killer.join()
        server.act("start")
    assert len(load(Path(), url=orders, table="orders")) == 400


def test_a_project_reads_a_database(tmp_path: Path) -> None:
    sqlite_file(tmp_path / "shop", rows=300)
    root = tmp_path / "shop"
    run_here("init", str(root), "--name", "shop", cwd=tmp_path)
    settings = [
        "loader=sql",
        "loader.sql.url=sqlite:///data/raw/shop.db",
        "loader.sql.table=orders",
    ]
    roles = ["loader.sql.target=y", "loader.sql.id=id", "data.leave_out=[day]"]
    run_here("run", *settings, *roles, "--no-run", cwd=root)
    run_here("stage", "load", cwd=root)
    assert (root / "data" / "prepared" / "train.parquet").exists()
