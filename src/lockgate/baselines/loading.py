"""Loaders for files: CSV and Parquet below the project, or inside an installed package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lockgate

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "parquet")


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
        path = _below(request.root, self.path, self.sha256)
        return _table(self, _read(path, "csv", self.separator))


@lockgate.plugin
class Parquet:
    """A Parquet file below the project, e.g. ``data/raw/churn.parquet``."""

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
    sha256: str | None = lockgate.setting(None, help="the only content to accept")

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the file."""
        return _table(self, _read(_below(request.root, self.path, self.sha256), "parquet"))


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
        return _table(self, _read(path, self.format, self.separator))


def _table(settings: Csv | Parquet | Package, frame: pd.DataFrame) -> lockgate.Table:
    frame = _dated(frame, settings.time)
    return lockgate.table(
        frame,
        target=settings.target,
        id=settings.id,
        time=settings.time,
        group=settings.group,
        value=settings.value,
        weight=settings.weight,
        horizon_days=settings.horizon_days,
    )


def _below(root: str, path: str, sha256: str | None) -> Path:
    from lockgate.files.digests import sha256_file

    inside = Path(os.path.normpath(path))
    if inside.is_absolute() or inside.parts[:2] != ("data", "raw"):
        raise lockgate.DataError(
            f"data file {path} is not below data/raw, where changes are noticed; move it there"
        )
    place = Path(root) / inside
    if not place.is_file():
        beside = sorted(str(p.relative_to(root)) for p in place.parent.glob("*") if p.is_file())
        found = f"; found: {', '.join(beside[:10])}" if beside else ""
        expected = f" (expected sha256 {sha256})" if sha256 else ""
        raise lockgate.DataError(f"data file {path} is missing{expected}{found}")
    if sha256 is not None and (digest := sha256_file(place)) != sha256:
        remedy = "get the pinned file back, or set sha256 to the new one"
        raise lockgate.DigestMismatch(path, sha256, digest, remedy)
    return place


def _read(path: Path, form: str, separator: str = ",") -> pd.DataFrame:
    import pandas as pd

    try:
        if form == "parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, sep=separator)
    except (ValueError, OSError) as error:
        words = " ".join(str(error).split())
        raise lockgate.DataError(f"{path} is no readable {form} file: {words}") from None


def _dated(frame: Any, time: str | None) -> Any:
    """Read the time column as dates where it came as text."""
    import pandas as pd

    if time is None or time not in frame or pd.api.types.is_numeric_dtype(frame[time]):
        return frame
    try:
        made = frame.copy(deep=False)
        made[time] = pd.to_datetime(frame[time])
        return made
    except (ValueError, TypeError) as error:
        raise lockgate.SchemaViolation([f"time column {time} holds no dates: {error}"]) from None
