"""The loader ``sql``: a query or a table of a database."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, checked_path, role_settings
from lockgate.builtin.loaders.queries import is_ordered, query_values, warn_unordered

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

__all__ = ["Sql"]


@lockgate.plugin
class Sql(ColumnRoles):
    """Load the rows of a query or a table of a database: SQLite, PostgreSQL, what SQLAlchemy opens.

    PostgreSQL and SQLite are read in one transaction that cannot write; of other databases the
    user's rights are the limit. A query may name ``:since`` and ``:until``, the dates of
    ``data.since`` and ``data.until`` or of the monitoring window. DVC does not notice that a
    database has changed: name what the rows depend on in `parameters`, such as a date, or pin the
    rows by `sha256`.
    """

    url: str = lockgate.setting(
        help="address without a password: sqlite:///data/raw/shop.db, "
        "postgresql+psycopg://reader@localhost/shop"
    )
    query: str | None = lockgate.setting(None, help="SELECT statement, with an ORDER BY")
    table: str | None = lockgate.setting(None, help="table or view to load as a whole")
    parameters: dict[str, str | int | float | bool] = lockgate.setting(
        {}, help="values of the query's parameters, e.g. day for :day; 15 is a number, '15' a text"
    )
    password: lockgate.Secret | None = lockgate.setting(
        None, help="environment variable with the password"
    )
    chunk_rows: int = lockgate.setting(50_000, at_least=1, help="rows that are fetched at once")
    timeout: float | None = lockgate.setting(
        None, above=0, help="seconds until PostgreSQL gives up on the query"
    )
    sha256: str | None = lockgate.setting(
        None, help="digest of the loaded rows; others are refused"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read all rows in one transaction."""
        import pandas as pd

        if (self.query is None) == (self.table is None):
            raise lockgate.UsageError("loader sql needs either a query or a table")
        with self._reported(), self._connect(request) as connection:
            cells, rows = self._fetch(connection, request)
        if not rows:
            raise lockgate.DataError(f"{self._shown()} returned no rows")
        frame = pd.DataFrame(
            {name: pd.Series(values, dtype=object) for name, values in cells.items()}
        )
        table = lockgate.table(frame, **role_settings(self), kinds=request.kinds)
        if self.sha256 is not None and table.digest != self.sha256:
            remedy = "load the pinned rows, or set sha256 to the new digest"
            raise lockgate.DigestMismatch(self._shown(), self.sha256, table.digest, remedy)
        request.log.info("%s: %d rows, sha256 %s", self._shown(), rows, table.digest)
        return table

    def _shown(self) -> str:
        return f"table {self.table}" if self.table is not None else "the query"

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Report what SQLAlchemy raises as errors of the data or of the settings."""
        try:
            import sqlalchemy.exc as errors
        except ImportError as error:
            raise lockgate.UsageError(
                "loader sql needs SQLAlchemy: pip install 'lockgate[sql]'"
            ) from error
        try:
            yield
        except ModuleNotFoundError as error:
            driver = "pip install 'lockgate[postgresql]', or the driver that the url names"
            raise lockgate.UsageError(f"loader sql: {error}; {driver}") from None
        except (errors.NoSuchModuleError, errors.ArgumentError) as error:
            raise lockgate.UsageError(
                f"loader.sql.url: {_first_line(error)}; expected an address like "
                "sqlite:///data/raw/shop.db or postgresql+psycopg://reader@localhost/shop"
            ) from None
        except errors.DBAPIError as error:
            raise lockgate.DataError(
                f"{self._shown()} failed, and nothing was kept: {_first_line(error.orig or error)}"
            ) from None
        except errors.SQLAlchemyError as error:
            raise lockgate.DataError(f"{self._shown()} failed: {_first_line(error)}") from None

    @contextlib.contextmanager
    def _connect(self, request: lockgate.LoadRequest) -> Iterator[Connection]:
        from sqlalchemy import make_url

        url = make_url(self.url)
        engine = self._open(url, request)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def _open(self, url: URL, request: lockgate.LoadRequest) -> Engine:
        """Return an engine that cannot write, for PostgreSQL and SQLite."""
        import sqlite3

        from sqlalchemy import create_engine

        if url.get_backend_name() == "sqlite":
            path = checked_path(request.root, url.database or "", None)
            address = f"file:{quote(str(path))}?mode=ro"
            return create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True))
        if self.password is not None:
            url = url.set(password=self.password.read())
        if url.get_backend_name() != "postgresql":
            return create_engine(url)
        chosen = url.query.get("options", ())
        options = " ".join([chosen] if isinstance(chosen, str) else chosen)
        options = f"{options} -c default_transaction_read_only=on".strip()
        if self.timeout is not None:
            options += f" -c statement_timeout={round(self.timeout * 1000)}"
        return create_engine(
            url,
            isolation_level="REPEATABLE READ",
            connect_args={"options": options, "connect_timeout": 10},
        )

    def _fetch(
        self, connection: Connection, request: lockgate.LoadRequest
    ) -> tuple[dict[str, list[Any]], int]:
        """Return the columns of all rows, and the number of rows."""
        statement, values = self._statement(connection, request)
        result = connection.execution_options(
            stream_results=True, max_row_buffer=self.chunk_rows
        ).execute(statement, values)
        names = list(result.keys())
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise lockgate.SchemaViolation([f"column {name} is duplicated" for name in repeated])
        columns: list[list[Any]] = [[] for _ in names]
        rows = 0
        with contextlib.closing(result):
            chunks = result.partitions(self.chunk_rows)
            for chunk in request.progress(chunks, label="chunks of rows"):
                rows += len(chunk)
                for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
                    column.extend(cells)
        return dict(zip(names, columns, strict=True)), rows

    def _statement(
        self, connection: Connection, request: lockgate.LoadRequest
    ) -> tuple[Any, dict[str, Any]]:
        """Return the statement with the values of its parameters."""
        from sqlalchemy import MetaData, Table, select, text

        if self.table is not None:
            schema, _, name = self.table.rpartition(".")
            table = Table(name, MetaData(schema=schema or None), autoload_with=connection)
            if not table.primary_key.columns:
                warn_unordered(self._shown(), request.log)
            return select(table).order_by(*table.primary_key.columns), {}
        statement = text(str(self.query))
        if not is_ordered(str(self.query)):
            warn_unordered(self._shown(), request.log)
        names = statement.compile().params
        values = query_values("sql", names, self.parameters, request, mark=":")
        if connection.dialect.name == "sqlite":  # it has no dates, but texts
            for name, value in values.items():
                if isinstance(value, datetime.date):
                    values[name] = value.isoformat()
        return statement, values


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
