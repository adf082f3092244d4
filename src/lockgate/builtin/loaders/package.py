"""The loader ``package``: a data file of an installed distribution."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import FORMATS, read_table, table_with_roles

__all__ = ["Package"]


@lockgate.plugin
class Package:
    """Load a data file of an installed distribution, pinned by digest; no code is imported."""

    distribution: str = lockgate.setting(help="name of the distribution, e.g. scikit-learn")
    path: str = lockgate.setting(help="path of the file in the distribution's RECORD")
    sha256: str = lockgate.setting(help="digest of the file; any other content is refused")
    version: str | None = lockgate.setting(
        None, help="version of the distribution; any other is refused"
    )
    format: str = lockgate.setting("csv", choices=FORMATS, help="format of the file")
    separator: str = lockgate.setting(",", help="separator between the values of a CSV file")
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

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Find the file in the distribution's RECORD, verify its digest, and read it."""
        path = lockgate.installed_file(
            self.distribution, self.path, version=self.version, sha256=self.sha256
        )
        return table_with_roles(self, read_table(path, self.format, self.separator))
