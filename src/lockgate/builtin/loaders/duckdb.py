"""The loader ``duckdb``: a query of the project's files."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, load_file
from lockgate.builtin.loaders.queries import is_ordered, query_values, warn_unordered

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Duckdb"]


@lockgate.plugin
class Duckdb(ColumnRoles):
    """Load the rows of a DuckDB query over files below data/raw: joins, sums, windows of time.

    The query reads files below ``data/raw`` alone, which DVC tracks, and can write nothing. It may
    name ``$since`` and ``$until``, the dates of ``data.since`` and ``data.until``.
    """

    query: str = lockgate.setting(
        help="SELECT statement with an ORDER BY, e.g. SELECT * FROM 'data/raw/orders/*.parquet' "
        "JOIN 'data/raw/customers.csv' USING (customer) ORDER BY id"
    )
    parameters: dict[str, str | int | float | bool] = lockgate.setting(
        {}, help="values of the query's parameters, e.g. day for $day; 15 is a number, '15' a text"
    )
    memory_mb: int | None = lockgate.setting(
        None, at_least=64, help="memory of the query in MiB; by default the limit of the stage"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Run the query, and read its rows as those of a Parquet file."""
        try:
            import duckdb
        except ImportError as error:
            raise lockgate.UsageError(
                "loader duckdb needs DuckDB: pip install 'lockgate[duckdb]'"
            ) from error
        import pyarrow.parquet as pq

        with tempfile.TemporaryDirectory(dir=request.scratch) as folder:
            path = Path(folder) / "rows.parquet"
            try:
                with duckdb.connect() as connection:
                    self._confine(connection, request, folder)
                    statements = connection.extract_statements(self.query)
                    kinds = [statement.type for statement in statements]
                    if kinds != [duckdb.StatementType.SELECT]:
                        shown = ", ".join(kind.name for kind in kinds) or "nothing"
                        raise lockgate.UsageError(
                            f"loader.duckdb.query: expected a single SELECT statement, got {shown}"
                        )
                    values = query_values(
                        "duckdb", statements[0].named_parameters, self.parameters, request, mark="$"
                    )
                    result = connection.sql(_absolute(self.query, request), params=values)
                    rows: Any = None if result is None else result.to_arrow_table()
            except duckdb.Error as error:
                message = " ".join(str(error).split())[:500]
                raise lockgate.DataError(f"the query of loader duckdb failed: {message}") from None
            if rows is None or not rows.num_rows:
                raise lockgate.DataError("the query of loader duckdb returned no rows")
            names = rows.column_names
            if len(set(names)) < len(names):
                doubled = next(name for name in names if names.count(name) > 1)
                raise lockgate.DataError(
                    f"the query of loader duckdb returns column {doubled} twice: name it with AS"
                )
            if not is_ordered(self.query):
                warn_unordered("the query", request.log)
            pq.write_table(rows, path)
            return load_file(path, self, request)

    def _confine(
        self, connection: DuckDBPyConnection, request: lockgate.LoadRequest, folder: str
    ) -> None:
        """Let the query read the project's data alone, and use what the stage may."""
        root = Path(request.root).resolve()
        memory = self.memory_mb or request.resources.memory_mb
        for statement, value in (
            ("SET threads = $1", request.resources.threads or None),
            ("SET memory_limit = $1", None if memory is None else f"{memory}MiB"),
            ("SET temp_directory = $1", folder),
            ("SET allowed_directories = [$1]", str(root / "data" / "raw")),
        ):
            if value is not None:
                connection.execute(statement.replace("$1", _literal(value)))
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")


def _absolute(query: str, request: lockgate.LoadRequest) -> str:
    """Return a query whose names of files below data/raw are of the project, wherever it runs."""
    raw = str(Path(request.root).resolve()).replace("'", "''")
    return re.sub(r"'(?=data/raw/)", lambda _: f"'{raw}/", query)


def _literal(value: str | int) -> str:
    """Return a value as SQL writes it."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
