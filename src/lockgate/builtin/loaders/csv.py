"""The loader ``csv``: a CSV file of the project."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import checked_path, read_table, table_with_roles

__all__ = ["Csv"]


@lockgate.plugin
class Csv:
    """Load a CSV file of the project, e.g. ``data/raw/churn.csv``."""

    path: str = lockgate.setting(help="path of the file below data/raw, relative to the project")
    target: str | None = lockgate.setting(None, help="column to predict")
    id: str | None = lockgate.setting(None, help="column that identifies a row; never a feature")
    time: str | None = lockgate.setting(
        None, help="column with the time at which a row's features were known"
    )
    group: str | None = lockgate.setting(
        None, help="column with the group of a row; groups are never split"
    )
    value: str | None = lockgate.setting(None, help="column with the monetary value of a row")
    weight: str | None = lockgate.setting(None, help="column with the weight of a row")
    horizon_days: int = lockgate.setting(
        0, at_least=0, help="days from the time of a row until its target is known"
    )
    separator: str = lockgate.setting(",", help="separator between values")
    sha256: str | None = lockgate.setting(
        None, help="digest of the file; any other content is refused"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the file."""
        path = checked_path(request.root, self.path, self.sha256)
        return table_with_roles(self, read_table(path, "csv", self.separator))
