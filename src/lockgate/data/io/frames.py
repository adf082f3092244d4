"""Reads a user's file into a frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_frame"]


def read_frame(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file, by its ending.

    Raises
    ------
    DataError
        If it has another ending, is missing, or cannot be read.

    """
    import pandas as pd

    from lockgate.errors import DataError

    readers: dict[str, Any] = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
    ending = path.suffix.lower()
    if ending not in readers:
        raise DataError(f"{path} ends in {path.suffix!r}; expected .csv or .parquet")
    try:
        frame: pd.DataFrame = readers[ending](path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return frame
