"""Loader `package`: a file that an installed distribution ships."""

from __future__ import annotations

import lockgate
from lockgate.builtin.loaders.files import FORMATS, read_table, table_with_roles

__all__ = ["Package"]


@lockgate.plugin
class Package:
    """A file that an installed distribution ships, pinned, its code never imported."""

    distribution: str = lockgate.setting(help="name of the distribution")
    path: str = lockgate.setting(help="the file, as the distribution's record lists it")
    sha256: str = lockgate.setting(help="the only content to accept")
    version: str | None = lockgate.setting(None, help="the only version to accept")
    format: str = lockgate.setting("csv", choices=FORMATS, help="what the file is")
    separator: str = lockgate.setting(",", help="between the values of a CSV file")
    target: str | None = lockgate.setting(None, help="column to predict")
    id: str | None = lockgate.setting(None, help="what a row is about; never a feature")
    time: str | None = lockgate.setting(None, help="when the features of a row were known")
    group: str | None = lockgate.setting(None, help="rows that belong together")
    value: str | None = lockgate.setting(None, help="money at stake in a row")
    weight: str | None = lockgate.setting(None, help="how much a row counts")
    horizon_days: int = lockgate.setting(
        0, at_least=0, help="days after time until the target is known"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Find the file by the distribution's record, check it, and read it."""
        path = lockgate.installed_file(
            self.distribution, self.path, version=self.version, sha256=self.sha256
        )
        return table_with_roles(self, read_table(path, self.format, self.separator))
