"""Settings of the loaders that read a single file, and tables from it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Literal

import lockgate

__all__ = [
    "CSVSettings",
    "ColumnRoles",
    "checked_path",
    "load_file",
    "role_settings",
    "verify_file",
]


@dataclasses.dataclass(eq=False, kw_only=True)
class ColumnRoles:
    """Settings that assign roles to columns."""

    target: str | list[str] | None = lockgate.setting(
        None, help="column to predict, or several columns of numbers, [a,b]"
    )
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
    dates: Literal["iso", "day-first", "month-first"] | None = lockgate.setting(
        None,
        help="how dates like 02/07/2024 are read; by default in the only order in which all "
        "dates of a column exist",
    )


@dataclasses.dataclass(eq=False, kw_only=True)
class CSVSettings:
    """Settings that say how a CSV file is written; the bundle remembers them."""

    encoding: str = lockgate.setting("utf-8", help="encoding of the file, e.g. cp1252 or utf-16")
    delimiter: str = lockgate.setting(
        "", help="character between cells; a tab in files that end in .tsv, else a comma"
    )
    decimal: Literal[".", ","] = lockgate.setting(".", help="decimal separator of numbers")
    thousands: str = lockgate.setting(
        "", help="separator between groups of three digits; none by default"
    )
    quote: str = lockgate.setting('"', help="character around cells that contain a delimiter")
    missing: list[str] = lockgate.setting(
        list(lockgate.CSVFormat().missing), help="texts that stand for missing values"
    )

    def csv_format(self) -> lockgate.CSVFormat:
        """Return how the file is written."""
        return lockgate.CSVFormat(
            encoding=self.encoding,
            delimiter=self.delimiter,
            decimal=self.decimal,
            thousands=self.thousands,
            quote=self.quote,
            missing=tuple(self.missing),
        )


def load_file(
    path: Path,
    roles: ColumnRoles,
    request: lockgate.LoadRequest,
    csv: lockgate.CSVFormat | None = None,
) -> lockgate.Table:
    """Read a file as a table, with the roles that the settings assign."""
    return lockgate.read_table(path, **role_settings(roles), kinds=request.kinds, csv=csv)


def role_settings(roles: ColumnRoles) -> dict[str, Any]:
    """Return the settings that assign roles, as `lockgate.table` takes them."""
    return {field.name: getattr(roles, field.name) for field in dataclasses.fields(ColumnRoles)}


def checked_path(root: str, path: str, sha256: str | None) -> Path:
    """Return the path of a data file or folder below data/raw, after verifying a pinned digest."""
    relative_path = Path(os.path.normpath(path))
    if relative_path.is_absolute() or relative_path.parts[:2] != ("data", "raw"):
        raise lockgate.DataError(
            f"data file {path} is not below data/raw, which DVC tracks; move it there"
        )
    full_path = Path(root) / relative_path
    if not full_path.exists():
        available = sorted(
            str(p.relative_to(root)) for p in full_path.parent.glob("*") if p.is_file()
        )
        hint = f"; available: {', '.join(available[:10])}" if available else ""
        expected = f" (expected sha256 {sha256})" if sha256 else ""
        raise lockgate.DataError(f"data file {path} is missing{expected}{hint}")
    verify_file(full_path, path, sha256)
    return full_path


def verify_file(path: Path, subject: str, sha256: str | None) -> None:
    """Refuse a file or folder with another digest than the pinned one, if one is pinned."""
    from lockgate.data.io.digests import sha256_file, sha256_folder

    if sha256 is None:
        return
    digest = sha256_folder(path) if path.is_dir() else sha256_file(path)
    if digest != sha256:
        remedy = "restore the pinned file, or set sha256 to the new digest"
        raise lockgate.DigestMismatch(subject, sha256, digest, remedy)
