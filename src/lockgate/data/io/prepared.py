"""The test rows that the load stage writes, with the columns that the model leaves out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["OTHER_COLUMNS_FILE", "add_other_columns", "prepared_folder"]

OTHER_COLUMNS_FILE = "test-other-columns.parquet"
"""File with the columns of the test rows that the model leaves out."""


def prepared_folder(project: Path) -> Path:
    """Return the folder of a project's split rows."""
    return project / "data" / "prepared"


def add_other_columns(test: pd.DataFrame, project: Path) -> pd.DataFrame:
    """Return a project's test rows with all columns that were loaded."""
    others = pd.read_parquet(prepared_folder(project) / OTHER_COLUMNS_FILE)
    return pd.concat([test, others], axis=1)
