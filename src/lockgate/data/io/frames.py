"""Reads CSV and Parquet files as DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_frame"]


def read_frame(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file, by its suffix.

    Raises
    ------
    DataError
        If it has another suffix, is missing, or cannot be read.

    """
    import pandas as pd  # a command that reads no table must not load it

    readers: dict[str, Any] = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
    ending = path.suffix.lower()
    if ending not in readers:
        raise DataError(f"{path} ends in {path.suffix!r}, expected .csv or .parquet")
    try:
        frame: pd.DataFrame = readers[ending](path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return frame
