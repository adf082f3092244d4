"""Copies of rows across a split, told from rows that coarse columns make equal by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lockgate.contract.tables import Column, Splits, Table
from lockgate.data.columns.frames import numbers_of
from lockgate.data.duplicates import identity_columns, looks_like_id

__all__ = ["chance_of_equal_row", "check_copies"]

BEYOND_CHANCE = 2.0
"""Multiple of the equal rows that are expected by chance, from which copies are reported."""

NOT_BY_CHANCE = 0.5
"""Share of the rows beyond those, from which copies are reported as well."""

CONSISTENT = 0.95
"""Share of copies that agree on a column from which it is proposed as a group."""

FINE = 0.1
"""Share of the steps between smallest and largest number that are taken by some row, up to which
numbers rarely coincide by chance."""

HEAPED = 3.0
"""Multiple of the median number of rows with a value from which it is more frequent than others."""

NEGLIGIBLE = 1e-4
"""Expected number of equal rows from which further columns are not looked at."""


def check_copies(parts: Splits, loader: str) -> list[str]:
    """Return a message for test rows that are copies of known rows, and for contradictions.

    Parameters
    ----------
    parts : Splits
        The rows; columns beyond the schema's may hold groups.
    loader : str
        Name of the loader, for the overrides that messages propose.

    """
    known = pd.concat([parts.train.frame, parts.tune.frame], ignore_index=True)
    rows = pd.concat([known, parts.test.frame], ignore_index=True)
    of_schema = parts.test.schema.features
    ids = [c.name for c in of_schema if looks_like_id(rows[c.name], c.kind)]
    columns = [column for column in of_schema if column.name not in ids]
    features = [column.name for column in columns]
    chance = chance_of_equal_row(rows[features], columns, len(known))
    messages = _report_copies(parts, known, features, loader, chance, ids)
    return messages + _report_contradictions(known, features, parts.train, chance)


def chance_of_equal_row(frame: pd.DataFrame, columns: Sequence[Column], others: int) -> float:
    """Return the probability that a row equals one of some others by chance.

    Columns are taken one after the other, those first in which rows rarely agree. Each counts
    with the probability that two rows agree on it if they agree on the earlier column that it
    depends on most.

    Parameters
    ----------
    frame : DataFrame, shape (rows, columns)
        The rows.
    columns : sequence of Column
        Their columns with kinds.
    others : int
        Number of other rows.

    Returns
    -------
    float
        From 0 to 1; 1 without columns.

    """
    names = [column.name for column in columns]
    distinct = frame[names].drop_duplicates()  # among copies every column would depend on all
    codes = {name: pd.factorize(distinct[name])[0] for name in names}
    alone = {column.name: _agreement(frame[column.name], column.kind) for column in columns}
    expected = float(others)
    earlier: list[str] = []
    for name in sorted(alone, key=lambda name: alone[name]):
        if expected < NEGLIGIBLE:
            break
        dependent = [_agreement_given(codes[name], codes[other]) for other in earlier]
        expected *= max([alone[name], *dependent])
        earlier.append(name)
    return float(-np.expm1(-expected)) if columns else 1.0


def _agreement(values: pd.Series, kind: str) -> float:
    """Return the probability that two rows agree on a column by chance.

    Copies make fine numbers and texts coincide, not chance: of those only missing cells and
    values that are far more frequent than others count.
    """
    counts = values.value_counts(dropna=False)
    rates = counts.to_numpy() / len(values)
    if kind in ("number", "integer", "date"):
        numbers = np.unique(numbers_of(values.dropna()))
        steps = (numbers[-1] - numbers[0]) / np.diff(numbers).min() + 1 if len(numbers) > 1 else 1.0
        is_fine, by_step = len(numbers) <= FINE * steps, 1 / steps
    else:
        is_fine, by_step = kind == "text", 0.0  # sentences rarely coincide
    if not is_fine:
        return float((rates**2).sum())
    usual = np.median(counts.to_numpy())
    heaped = (counts.to_numpy() > HEAPED * usual) | counts.index.isna()
    rest = float(rates[~heaped].sum())
    return float((rates[heaped] ** 2).sum() + rest**2 * by_step)


def _agreement_given(codes: np.ndarray, other: np.ndarray) -> float:
    """Return how often rows that agree on another column agree on this one, too.

    It is 1 where no rows agree on the other column, which may then determine this column.
    """
    pairs = _equal_pairs(other)
    joint = (other + 1).astype(np.int64) * (codes.max(initial=0) + 2) + codes + 1
    return _equal_pairs(joint) / pairs if pairs else 1.0


def _equal_pairs(codes: np.ndarray) -> float:
    counts = np.unique(codes, return_counts=True)[1].astype(float)
    return float((counts * (counts - 1)).sum())


def _exceeds_chance(count: int, rows: int, chance: float) -> bool:
    """Return whether so many rows are copies, beyond what coarse columns make equal."""
    expected, deviation = chance * rows, (chance * (1 - chance) * rows) ** 0.5
    limits = BEYOND_CHANCE * expected, expected + NOT_BY_CHANCE * (rows - expected)
    return bool(count > min(limits) + 3 * deviation)


def _hashes(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    return pd.util.hash_pandas_object(frame[list(columns)], index=False).to_numpy()


def _report_copies(
    parts: Splits,
    known: pd.DataFrame,
    features: list[str],
    loader: str,
    chance: float,
    ids: list[str],
) -> list[str]:
    """Report test rows that are equal to known rows, but for columns that look like ids."""
    columns = [name for name in identity_columns(parts.test.schema) if name not in ids]
    test = parts.test.frame
    copied = np.isin(_hashes(test, columns), _hashes(known, columns))
    count = int(copied.sum())
    if not _exceeds_chance(count, len(test), chance):
        return []
    differ = f" but for {', '.join(ids)}" if ids else ""
    rows = pd.concat([known, test], ignore_index=True)
    group = _find_group(rows, columns, features)
    remedy = (
        f"or keep those of one {group} together: lockgate run loader.{loader}.group={group}"
        if group
        else f"or name the column that copies share: lockgate run loader.{loader}.group=COLUMN"
    )
    if ids:
        remedy = f"after lockgate run loader.{loader}.id={ids[0]}, {remedy}"
    return [
        f"{count} of {len(test)} test rows ({count / len(test):.0%}) are duplicates{differ} of "
        "rows that the model is trained or tuned on: the metrics are too good; count each row "
        f"once: lockgate run rows.duplicates=drop, {remedy}"
    ]


def _find_group(rows: pd.DataFrame, columns: list[str], features: list[str]) -> str | None:
    """Return the column that says which copies belong together, where there is one."""
    keys = _hashes(rows, columns)
    repeated = pd.Series(keys).duplicated(keep=False).to_numpy()
    candidates = [str(name) for name in rows if name not in columns and name not in features]
    for name in candidates:
        values = rows.loc[repeated, name]
        if values.isna().any() or rows[name].nunique() == len(rows):
            continue
        distinct = values.groupby(keys[repeated]).nunique()
        if (distinct == 1).mean() >= CONSISTENT and rows[name].nunique() > 1:
            return name
    return None


def _report_contradictions(
    known: pd.DataFrame, features: list[str], train: Table, chance: float
) -> list[str]:
    target = train.schema.target
    if not isinstance(target, str) or train.schema[target].kind == "number":
        return []
    keys = _hashes(known, features)
    labels = known[target].groupby(keys).transform("nunique").to_numpy()
    count = int((labels > 1).sum())
    if not _exceeds_chance(count, len(known), chance):
        return []
    return [
        f"{count} of {len(known)} rows have the same features as others, and another {target}: no "
        "model can tell them apart; are they errors, or is a column missing?"
    ]
