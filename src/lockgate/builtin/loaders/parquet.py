"""The loader ``parquet``: a Parquet file of the project."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, checked_path, load_file

__all__ = ["Parquet"]


@lockgate.plugin
class Parquet(ColumnRoles):
    """Load a Parquet file of the project, e.g. ``data/raw/churn.parquet``."""

    path: str = lockgate.setting(help="path of the file below data/raw, relative to the project")
    sha256: str | None = lockgate.setting(
        None, help="digest of the file; any other content is refused"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the file."""
        return load_file(checked_path(request.root, self.path, self.sha256), self, request)
