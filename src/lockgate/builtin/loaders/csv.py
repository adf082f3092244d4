"""Loader `csv`: a CSV file of the project."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import checked_path, read_table, table_with_roles

__all__ = ["Csv"]


@lockgate.plugin
class Csv:
    """A CSV file below the project, e.g. ``data/raw/churn.csv``."""

    path: str = lockgate.setting(help="file, relative to the project; below data/raw")
    target: str | None = lockgate.setting(None, help="column to predict")
    id: str | None = lockgate.setting(None, help="what a row is about; never a feature")
    time: str | None = lockgate.setting(None, help="when the features of a row were known")
    group: str | None = lockgate.setting(None, help="rows that belong together")
    value: str | None = lockgate.setting(None, help="money at stake in a row")
    weight: str | None = lockgate.setting(None, help="how much a row counts")
    horizon_days: int = lockgate.setting(
        0, at_least=0, help="days after time until the target is known"
    )
    separator: str = lockgate.setting(",", help="between values")
    sha256: str | None = lockgate.setting(None, help="the only content to accept")

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the file."""
        path = checked_path(request.root, self.path, self.sha256)
        return table_with_roles(self, read_table(path, "csv", self.separator))
