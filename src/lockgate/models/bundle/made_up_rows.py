"""Rows that describe no person: for probes, which travel in a bundle."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.tables import Column, Schema
from lockgate.data.columns.personal import is_personal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["make_up_rows"]

MIN_ROWS = 10
"""Rows in which a word occurs that a made-up text may hold."""

MAX_TEXTS = 5000
"""Texts whose words are counted."""

TEXT_WORDS = 8


def make_up_rows(features: pd.DataFrame, schema: Schema, count: int) -> pd.DataFrame:
    """Make up rows from the columns of a table.

    The cells of each column come from rows of their own: a made-up row describes no person,
    although one of few columns may equal a real one. Columns whose names indicate personal data
    get cells within their bounds, or known categories, which the model has anyway; texts consist
    of words that many rows have. Missing cells stay missing.

    Parameters
    ----------
    features : pandas.DataFrame
        Rows of training data.
    schema : Schema
        Its columns.
    count : int
        Largest number of rows.

    """
    import pandas as pd

    rows = np.unique(np.linspace(0, len(features) - 1, min(count, len(features))).astype(int))
    rng = np.random.default_rng(0)
    columns = {column.name: column for column in schema.features}
    made_up = {}
    for name in features:
        cells = features[name].iloc[rng.permutation(rows)].reset_index(drop=True)
        column = columns[str(name)]
        if column.kind == "text" or is_personal(column.name):
            replaced = _replace(column, features[name], len(cells))
            cells = pd.Series(replaced, dtype=cells.dtype).where(cells.notna(), cells)
        made_up[name] = cells
    return pd.DataFrame(made_up)


def _replace(column: Column, values: pd.Series, count: int) -> Any:
    """Return cells that the column may hold, made without a look at single rows."""
    if column.kind == "text":
        return _made_up_texts(values, count)
    if column.kind == "category":
        known = sorted(values.dropna().unique(), key=str)
        return [known[k * len(known) // count] for k in range(count)] if known else None
    if column.kind == "boolean":
        return [bool(k % 2) for k in range(count)]
    present = values.dropna()
    if not len(present):
        return None
    steps = np.linspace(0, 1, count + 2)[1:-1]
    between = present.min() + (present.max() - present.min()) * steps
    if column.kind == "date":
        return between.floor("D") if hasattr(between, "floor") else between
    return np.round(between) if column.kind == "integer" else between


def _made_up_texts(values: pd.Series, count: int) -> list[str]:
    texts = values.dropna().astype(str).head(MAX_TEXTS)
    counts = Counter(word for text in texts for word in set(re.findall(r"\w+", text)))
    frequent = [word for word, rows in counts.most_common(200) if rows >= MIN_ROWS] or ["text"]
    return [
        " ".join(frequent[(k * TEXT_WORDS + n) % len(frequent)] for n in range(TEXT_WORDS))
        for k in range(count)
    ]
