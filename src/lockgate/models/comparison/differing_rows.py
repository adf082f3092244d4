"""The rows that two models predict differently, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.models.comparison.pair import Pair

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["differing_rows"]


def differing_rows(pair: Pair, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that two models predict differently, those furthest apart first.

    Parameters
    ----------
    pair : Pair
        Predictions of both for the rows.
    rows : DataFrame
        The rows, with all columns.

    Returns
    -------
    DataFrame
        All columns of the rows, then ``first`` and ``second``, which are the predictions, and of
        scores ``first_score`` and ``second_score``, those of the positive class. Where a column of
        the rows has such a name, an underscore is added to it.

    """
    import pandas as pd

    chosen = np.flatnonzero(pair.differ)
    columns: dict[str, np.ndarray] = {}
    first, second = (np.asarray(output.label) for output in pair.outputs)
    if first.ndim == 2:
        targets = [table.schema.targets for table in pair.tables]
        for name, values, names in zip(("first", "second"), (first, second), targets, strict=True):
            columns |= {f"{name}_{target}": values[:, k] for k, target in enumerate(names)}
    else:
        columns = {"first": first, "second": second}
    distance = pair.distance
    if pair.task == "binary" and all(output.score is not None for output in pair.outputs):
        scores = [np.asarray(output.score) for output in pair.outputs]
        columns |= {"first_score": scores[0], "second_score": scores[1]}
        distance = np.abs(scores[0] - scores[1])
    order = chosen[np.argsort(-distance[chosen], kind="stable")]
    known = rows.iloc[order].reset_index(drop=True)
    predicted = pd.DataFrame(
        {_free_name(name, known): values[order] for name, values in columns.items()}
    )
    return pd.concat([known, predicted], axis=1)


def _free_name(name: str, rows: pd.DataFrame) -> str:
    """Return a name that no column of the rows has."""
    while name in rows:
        name += "_"
    return name
