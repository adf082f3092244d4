"""Tables from CSV and Parquet files, for the loaders that read a single file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import lockgate

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "parquet")


class ColumnRoles(Protocol):
    """Settings of a loader that assign roles to columns."""

    target: str | None
    id: str | None
    time: str | None
    group: str | None
    value: str | None
    weight: str | None
    horizon_days: int


def table_with_roles(settings: ColumnRoles, frame: pd.DataFrame) -> lockgate.Table:
    """Return a frame as a table, with the roles that the settings assign."""
    frame = _parse_dates(frame, settings.time)
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


def checked_path(root: str, path: str, sha256: str | None) -> Path:
    """Return the path of a data file below data/raw, after verifying its digest if one is set."""
    from lockgate.data.io.digests import sha256_file

    relative_path = Path(os.path.normpath(path))
    if relative_path.is_absolute() or relative_path.parts[:2] != ("data", "raw"):
        raise lockgate.DataError(
            f"data file {path} is not below data/raw, which DVC tracks; move it there"
        )
    full_path = Path(root) / relative_path
    if not full_path.is_file():
        available = sorted(
            str(p.relative_to(root)) for p in full_path.parent.glob("*") if p.is_file()
        )
        hint = f"; available: {', '.join(available[:10])}" if available else ""
        expected = f" (expected sha256 {sha256})" if sha256 else ""
        raise lockgate.DataError(f"data file {path} is missing{expected}{hint}")
    if sha256 is not None and (digest := sha256_file(full_path)) != sha256:
        remedy = "restore the pinned file, or set sha256 to the new digest"
        raise lockgate.DigestMismatch(path, sha256, digest, remedy)
    return full_path


def read_table(path: Path, file_format: str, separator: str = ",") -> pd.DataFrame:
    """Read a CSV or Parquet file; DataError if that fails."""
    import pandas as pd

    try:
        if file_format == "parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, sep=separator)
    except (ValueError, OSError) as error:
        message = " ".join(str(error).split())
        raise lockgate.DataError(
            f"{path} is not a readable {file_format} file: {message}"
        ) from None


def _parse_dates(frame: pd.DataFrame, time: str | None) -> pd.DataFrame:
    """Parse the time column as dates, unless it is numeric."""
    import pandas as pd

    if time is None or time not in frame or pd.api.types.is_numeric_dtype(frame[time]):
        return frame
    try:
        converted = frame.copy(deep=False)
        converted[time] = pd.to_datetime(frame[time])
        return converted
    except (ValueError, TypeError) as error:
        raise lockgate.SchemaViolation(
            [f"time column {time} does not contain dates: {error}"]
        ) from None
