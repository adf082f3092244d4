"""The loader ``excel``: a sheet of a workbook of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, checked_path, role_settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Excel"]


@lockgate.plugin
class Excel(ColumnRoles):
    """Load a sheet of an Excel or OpenDocument workbook, e.g. ``data/raw/churn.xlsx``.

    Cells keep the types of the workbook: 01067 is a text if it was entered as a text, and so is NA.
    Errors such as ``#DIV/0!`` are missing values.
    """

    path: str = lockgate.setting(help="path of the file below data/raw, relative to the project")
    sheet: str | None = lockgate.setting(None, help="name of the sheet; by default the first")
    skip_rows: int = lockgate.setting(0, at_least=0, help="rows above the names of the columns")
    sha256: str | None = lockgate.setting(
        None, help="digest of the file; any other content is refused"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Read the sheet."""
        import pandas as pd

        path = checked_path(request.root, self.path, self.sha256)
        try:
            with pd.ExcelFile(path, engine="calamine") as workbook:
                sheet: Any = workbook.sheet_names[0] if self.sheet is None else self.sheet
                if sheet not in workbook.sheet_names:
                    available = ", ".join(map(str, workbook.sheet_names))
                    raise lockgate.UsageError(
                        f"{self.path} has no sheet {sheet!r}; available: {available}"
                    )
                frame = pd.read_excel(
                    workbook,
                    sheet_name=sheet,
                    header=None,
                    skiprows=self.skip_rows,
                    dtype=object,
                    keep_default_na=False,
                    na_values=[""],
                )
        except ImportError as error:
            raise lockgate.UsageError(
                "loader excel needs python-calamine: pip install 'lockgate[excel]'"
            ) from error
        except (OSError, ValueError, KeyError) as error:
            raise lockgate.DataError(f"{self.path} cannot be read as a workbook: {error}") from None
        except Exception as error:  # calamine's own errors have no common class
            if type(error).__module__.partition(".")[0] != "python_calamine":
                raise
            raise lockgate.DataError(f"{self.path} cannot be read as a workbook: {error}") from None
        if len(frame) < 2:
            raise lockgate.DataError(f"sheet {sheet} of {self.path} has no rows")
        frame = _name_columns(frame)
        return lockgate.table(frame, **role_settings(self), kinds=request.kinds)


def _name_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the first row for names; leave out columns without a name and without a value."""
    import numpy as np

    named = frame.iloc[0].notna()
    used = frame.iloc[1:].notna().any()
    unnamed = [k + 1 for k in np.flatnonzero(used & ~named).tolist()]
    if unnamed:
        raise lockgate.SchemaViolation([f"column {k} of the sheet has no name" for k in unnamed])
    frame = frame.loc[:, named]
    cells = frame.iloc[1:].reset_index(drop=True)
    return cells.set_axis([str(name) for name in frame.iloc[0]], axis=1)
