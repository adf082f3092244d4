"""The loader ``csv``: a CSV file of the project."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, CSVSettings, checked_path, load_file

__all__ = ["Csv"]


@lockgate.plugin
class Csv(ColumnRoles, CSVSettings):
    """Load a CSV file of the project, e.g. ``data/raw/churn.csv``."""

    path: str = lockgate.setting(help="path of the file below data/raw, relative to the project")
    sha256: str | None = lockgate.setting(
        None, help="digest of the file; any other content is refused"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the file."""
        path = checked_path(request.root, self.path, self.sha256)
        return load_file(path, self, request, self.csv_format())
