"""The loader ``package``: a data file of an installed distribution."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, CSVSettings, load_file

__all__ = ["Package"]


@lockgate.plugin
class Package(ColumnRoles, CSVSettings):
    """Load a data file of an installed distribution, pinned by digest; no code is imported."""

    distribution: str = lockgate.setting(help="name of the distribution, e.g. scikit-learn")
    path: str = lockgate.setting(help="path of the CSV or Parquet file in its RECORD")
    sha256: str = lockgate.setting(help="digest of the file; any other content is refused")
    version: str | None = lockgate.setting(
        None, help="version of the distribution; any other is refused"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Find the file in the distribution's RECORD, verify its digest, and read it."""
        path = lockgate.installed_file(
            self.distribution, self.path, version=self.version, sha256=self.sha256
        )
        return load_file(path, self, request, self.csv_format())
