"""Files of rows that a model was fitted on, read as the author and as predictions read them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.contract.tables import Column, CSVFormat, Table
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.dates import NUMERIC_DATE, as_micros
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.text_cells import infer_date_order
from lockgate.errors import DataError, SchemaViolation, UsageError
from lockgate.models.packing.rows import table_from

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["detect_form", "read_as_fitted", "read_as_written", "read_table_of"]


def read_table_of(
    path: Path,
    features: list[str],
    targets: Sequence[str],
    inputs: Sequence[ColumnInput],
    csv: CSVFormat | None,
) -> Table:
    """Read the rows as predictions will read them; `csv` says how CSV files are written."""
    from lockgate.data.io.frames import is_parquet, read_frame

    columns = [
        Column(name=c.name, kind=c.kind, categories=c.categories, bits=c.bits)  # type: ignore[arg-type]  # the header was checked
        for c in inputs
    ]
    csv = None if is_parquet(path) else csv or CSVFormat()
    frame = read_frame(path, columns, csv)
    missing = [name for name in [*features, *targets] if name not in frame]
    if missing:
        raise UsageError(f"{path} has no column {', '.join(missing)}")
    y = frame[list(targets)] if targets else None
    table = table_from(frame[features], y)[0]
    if csv is None:
        return table
    return dataclasses.replace(table, schema=dataclasses.replace(table.schema, csv=csv))


def detect_form(path: Path, settings: Mapping[str, Any]) -> CSVFormat | None:
    """Return how a CSV file is written; None for a Parquet file, which has no settings."""
    from lockgate.data.io.csv_detection import detect_csv
    from lockgate.data.io.frames import is_parquet

    if not is_parquet(path):
        return detect_csv(path, settings)
    if settings:
        raise UsageError(f"{path} is a Parquet file, and --set is for CSV files")
    return None


def read_as_written(path: Path, csv: CSVFormat | None) -> pd.DataFrame:
    """Read rows with the kinds that their cells are written in: 01067 is a text."""
    from lockgate.data.io.frames import read_frame

    return read_frame(path, csv=csv)


def read_as_fitted(
    path: Path, csv: CSVFormat | None, kinds: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read rows as most who fit a model read them: with pandas' defaults, and declared kinds.

    The packed model is compared with the original on these rows. Its bundle is made from the
    rows as predictions read them.
    """
    import pandas as pd

    from lockgate.data.io.csv import delimiter_of
    from lockgate.data.io.files import describe_failure, file_ending
    from lockgate.data.io.frames import FRAME_ENDINGS

    ending = file_ending(path)
    if ending not in FRAME_ENDINGS:
        raise DataError(f"{path} ends in {ending!r}, expected one of {', '.join(FRAME_ENDINGS)}")
    try:
        if csv is None:
            return _declare(pd.read_parquet(path), kinds or {}, path)
        texts = CSVFormat().missing
        as_texts = [name for name, kind in (kinds or {}).items() if kind in ("category", "text")]
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys(as_texts, str),
            sep=delimiter_of(path, csv),
            encoding=csv.encoding,
            decimal=csv.decimal,
            thousands=csv.thousands or None,
            quotechar=csv.quote or '"',
            quoting=0 if csv.quote else 3,  # of the module csv: QUOTE_MINIMAL, QUOTE_NONE
            na_values=None if csv.missing == texts else list(csv.missing),
            keep_default_na=csv.missing == texts,
        )
        return _declare(frame, kinds or {}, path)
    except (ValueError, OSError) as error:
        raise DataError(describe_failure(path, error)) from None


def _to_dates(name: str, values: pd.Series[Any]) -> pd.Series[Any]:
    """Return dates; texts in the only order in which all of them exist, as tables have them."""
    import numpy as np
    import pandas as pd

    texts = [text for text in values.dropna().tolist() if isinstance(text, str)]
    numeric = any(re.fullmatch(NUMERIC_DATE, text.strip()) for text in texts)
    order = infer_date_order(name, texts) if numeric else "iso"
    micros = [as_micros(value, order) for value in values.tolist()]
    if None in micros:
        row = micros.index(None)
        raise DataError(f"column {name} holds {values.iloc[row]!r} in row {row}, expected a date")
    return pd.Series(np.array(micros, dtype="datetime64[us]"), index=values.index)


def _declare(frame: pd.DataFrame, kinds: Mapping[str, str], path: Path) -> pd.DataFrame:
    """Return the frame with columns of the declared kinds, as pandas holds them."""
    import pandas as pd

    from lockgate.data.schema import check_kinds

    try:
        check_kinds(kinds, [str(name) for name in frame])
    except SchemaViolation as error:
        raise UsageError(f"{path}: {str(error).replace('data.kinds', '--kind')}") from None
    converted = {}
    for name, kind in kinds.items():
        if kind == "date":
            converted[name] = _to_dates(name, frame[name])
        elif kind in ("category", "text") and pd.api.types.is_numeric_dtype(frame[name]):
            converted[name] = frame[name].map(category_text, na_action="ignore").astype(object)
        elif kind in ("number", "integer", "boolean"):
            converted[name] = pd.to_numeric(frame[name])
    return frame.assign(**converted)
