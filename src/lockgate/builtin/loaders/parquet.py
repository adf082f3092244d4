"""The loader ``parquet``: a Parquet file of the project, or a folder of them."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, checked_path, load_file

__all__ = ["Parquet"]


@lockgate.plugin
class Parquet(ColumnRoles):
    """Load a Parquet file of the project, or a folder of them, e.g. ``data/raw/churn.parquet``.

    The files of a folder are read in the order of their paths; folders like ``year=2026`` in it
    are columns.
    """

    path: str = lockgate.setting(
        help="path of the file or folder below data/raw, relative to the project"
    )
    sha256: str | None = lockgate.setting(
        None, help="digest of the file, or of a folder; any other content is refused"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the file."""
        return load_file(checked_path(request.root, self.path, self.sha256), self, request)
