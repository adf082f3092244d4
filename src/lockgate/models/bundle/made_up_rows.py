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
        if (column.kind == "text" or is_personal(column.name)) and cells.notna().any():
            replaced = _replace(column, features[name].dropna(), len(cells))
            cells = pd.Series(replaced, dtype=cells.dtype).where(cells.notna(), cells)
        made_up[name] = cells
    return pd.DataFrame(made_up)


def _replace(column: Column, present: pd.Series, count: int) -> Any:
    """Return cells that the column may hold, made without a look at single rows."""
    if column.kind == "text":
        return _made_up_texts(present, count)
    if column.kind == "category":
        known = sorted(present.unique(), key=str)
        return [known[k * len(known) // count] for k in range(count)]
    if column.kind == "boolean":
        return [bool(k % 2) for k in range(count)]
    steps = np.linspace(0, 1, count + 2)[1:-1]
    if column.kind == "date":
        if isinstance(present.iloc[0], str):
            return [f"{2000 + k}-01-31" for k in range(count)]  # read in every order of dates
        return present.min() + (present.max() - present.min()) * steps
    low, high = float(present.min()), float(present.max())
    between = low * (1 - steps) + high * steps  # the difference may be beyond the doubles
    return np.round(between) if column.kind == "integer" else between


def _made_up_texts(present: pd.Series, count: int) -> list[str]:
    texts = present.astype(str).head(MAX_TEXTS)
    counts = Counter(word for text in texts for word in set(re.findall(r"\w+", text)))
    # in an order that does not depend on the process: a bundle's bytes must not
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:200]
    frequent = [word for word, rows in ordered if rows >= MIN_ROWS] or ["text"]
    return [
        " ".join(frequent[(k * TEXT_WORDS + n) % len(frequent)] for n in range(TEXT_WORDS))
        for k in range(count)
    ]
