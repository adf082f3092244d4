"""Checks of columns: ids among the features, leaks of the target, and unusual targets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lockgate.contract.recipes import NUMERIC, UNSUPERVISED
from lockgate.contract.tables import Column, Table
from lockgate.data.columns.categories import category_text
from lockgate.data.duplicates import looks_like_id

__all__ = ["check_columns"]

MAX_ROWS = 20_000
"""Rows that are looked at, evenly spaced."""

FEWEST_ROWS = 50
"""Rows from which a single column can give the target away."""

LEAK = {"ROC AUC": 0.995, "accuracy": 0.96, "R²": 0.97}
"""What a single column reaches from which it is taken for a leak."""

BEYOND = 0.9
"""Share of the rows outside of the largest class that a leak gets right."""

BINS = 50


def check_columns(train: Table, task: str, folds: int, loader: str) -> list[str]:
    """Return what is unusual about features and target, as messages.

    Parameters
    ----------
    train : Table
        The training rows.
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        The task.
    folds : int
        Folds of the search.
    loader : str
        Name of the loader, for the overrides that messages propose.

    """
    step = -(-len(train) // MAX_ROWS)
    rows = train.frame.iloc[::step]
    messages = []
    for column in train.schema.features:
        if looks_like_id(rows[column.name], column.kind):
            messages.append(
                f"column {column.name} looks like an id: {rows[column.name].nunique()} distinct "
                f"values in {len(rows)} rows; if it is one, leave it out: lockgate run "
                f"loader.{loader}.id={column.name}"
            )
            continue
        for target in train.schema.targets if len(rows) >= FEWEST_ROWS else ():
            measure, value = _measure_alone(rows, column, target, task)
            if value >= LEAK[measure]:
                messages.append(
                    f"column {column.name} alone all but determines {target} "
                    f"({measure} {value:.3f}): is it known when the model predicts? If not, "
                    f"leave it out: lockgate run 'data.leave_out=[{column.name}]'"
                )
    return messages + _check_target(train, task, folds)


def _measure_alone(rows: pd.DataFrame, column: Column, target: str, task: str) -> tuple[str, float]:
    """Return how well a single column predicts the target, on rows that it was not fitted on.

    The other half of the rows gives each value, or interval of values, its mean or its class.
    """
    codes = _code(rows[column.name], column)
    truth = rows[target]
    # by a digest of the row, so that copies are on one side, whatever the order of rows
    fitted = pd.util.hash_pandas_object(rows, index=False).to_numpy() % 2 == 0
    if fitted.all() or not fitted.any():
        return "R²", 0.0
    if task in NUMERIC:
        means = pd.Series(truth[fitted].to_numpy(float)).groupby(codes[fitted]).mean()
        actual = truth[~fitted].to_numpy(float)
        guess = means.reindex(codes[~fitted]).fillna(means.mean()).to_numpy()
        spread = float(((actual - actual.mean()) ** 2).sum())
        return "R²", 1 - float(((actual - guess) ** 2).sum()) / spread if spread else 0.0
    _, labels = np.unique(truth.astype(str), return_inverse=True)
    if task == "binary":
        rates = pd.Series(labels[fitted]).groupby(codes[fitted]).mean()
        guess = rates.reindex(codes[~fitted]).fillna(labels.mean()).to_numpy()
        return "ROC AUC", _auc(labels[~fitted] == 1, guess)
    modes = pd.Series(labels[fitted]).groupby(codes[fitted]).agg(lambda part: part.mode().iloc[0])
    guess = modes.reindex(codes[~fitted]).fillna(-1).to_numpy()
    largest = float(np.bincount(labels).max() / len(labels))
    hits = float((guess == labels[~fitted]).mean())
    beyond = (hits - largest) / (1 - largest) if largest < 1 else 0.0
    return "accuracy", hits if beyond >= BEYOND else 0.0


def _code(values: pd.Series, column: Column) -> np.ndarray:
    """Return each value's code: of numbers and dates the interval, missing values apart."""
    if column.kind in ("category", "boolean", "text"):
        return np.asarray(pd.factorize(values)[0])
    numbers = pd.to_numeric(values, errors="coerce") if column.kind != "date" else values
    ranks = (
        numbers.rank(method="dense", pct=True)
        if numbers.nunique() <= BINS
        else numbers.rank(method="average", pct=True)
    )
    return np.asarray(np.where(ranks.isna(), -1, np.ceil(ranks.fillna(0) * BINS)).astype(int))


def _auc(positive: np.ndarray, score: np.ndarray) -> float:
    ranks = pd.Series(score).rank().to_numpy()
    hits, others = int(positive.sum()), int((~positive).sum())
    if not hits or not others:
        return 0.0
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * others))


def _check_target(train: Table, task: str, folds: int) -> list[str]:
    if task in NUMERIC or task in UNSUPERVISED:
        return []
    target = str(train.schema.target)
    counts = train.frame[target].value_counts()
    messages = []
    single = int((counts == 1).sum())
    if len(counts) > 20 and single > len(counts) / 2:
        messages.append(
            f"{target} has {len(counts)} classes, {single} of them in a single training row: are "
            "they classes, or names or numbers? lockgate run project.task=regression predicts "
            "numbers"
        )
    elif task == "multiclass" and train.schema[target].kind == "integer":
        messages.append(
            f"{target} holds {len(counts)} different whole numbers, taken for classes; if they are "
            "counts or amounts: lockgate run project.task=regression"
        )
    few = counts[counts < folds]
    if len(few) and not messages:
        label, count = category_text(few.index[0]), int(few.iloc[0])
        rows = "row" if count == 1 else "rows"
        others = f", and {len(few) - 1} other classes fewer than {folds}" if len(few) > 1 else ""
        messages.append(
            f"class {label!r} of {target} has {count} training {rows}{others}, for {folds} folds: "
            "some folds are measured without it; add rows, merge classes, or lower search.folds"
        )
    return messages
