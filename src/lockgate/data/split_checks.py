"""Checks of a split: rows on both sides, classes on one side only, time that is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lockgate.contract.tables import Splits, Table
from lockgate.data.chance_copies import chance_of_equal_row
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.personal import is_personal
from lockgate.data.duplicates import identity_columns, looks_like_id
from lockgate.errors import SchemaViolation

__all__ = ["check_classes", "check_split"]

BEYOND_CHANCE = 2.0
"""Multiple of the equal rows that are expected by chance, from which copies are reported."""

NOT_BY_CHANCE = 0.5
"""Share of the rows beyond those, from which copies are reported as well."""

CONSISTENT = 0.95
"""Share of copies that agree on a column from which it is proposed as a group."""


def check_split(parts: Splits, method: str, loader: str) -> list[str]:
    """Return what makes metrics on the test rows too good, as messages.

    Parameters
    ----------
    parts : Splits
        The rows; columns beyond the schema's may hold groups.
    method : {"time", "group", "stratified", "random"}
        How they were split.
    loader : str
        Name of the loader, for the overrides that messages propose.

    """
    known = pd.concat([parts.train.frame, parts.tune.frame], ignore_index=True)
    schema = parts.test.schema
    rows = pd.concat([known, parts.test.frame], ignore_index=True)
    ids = [c.name for c in schema.features if looks_like_id(rows[c.name], c.kind)]
    columns = [column for column in schema.features if column.name not in ids]
    features = [column.name for column in columns]
    chance = chance_of_equal_row(rows[features], columns, len(known))
    messages = _check_copies(parts, known, features, loader, chance, ids)
    messages += _check_contradictions(known, features, parts.train, chance)
    dates = [
        column.name
        for column in schema.features
        if column.kind == "date" and not is_personal(column.name)  # e.g. a date of birth
    ]
    if method != "time" and schema.time is None and dates:
        messages.append(
            f"column {dates[0]} holds dates, and the rows are split at random: if the model will "
            f"predict later rows than it was trained on, these metrics are too good; split by "
            f"time: lockgate run loader.{loader}.time={dates[0]}"
        )
    return messages


def check_classes(parts: Splits) -> None:
    """Refuse tune and test rows of classes that no training row has.

    Parameters
    ----------
    parts : Splits
        The rows of a classification, as the model is trained, tuned and tested on.

    Raises
    ------
    SchemaViolation
        With each such class and its count of rows: a model cannot be measured on them.

    """
    target = str(parts.train.schema.target)
    known = set(parts.train.frame[target].map(category_text))
    messages = []
    for label, part in (("tune", parts.tune), ("test", parts.test)):
        counts = part.frame[target].map(category_text).value_counts()
        unknown = counts[~counts.index.isin(known)]
        messages += [
            f"{count} {label} row{'s' if count > 1 else ''} of class {name!r} of {target}, which "
            "no training row has"
            for name, count in unknown.head(5).items()
        ]
        if len(unknown) > 5:
            messages.append(f"and {label} rows of {len(unknown) - 5} more such classes")
    if messages:
        advice = (
            "no model can be measured on them: merge rare classes or leave their rows out of the "
            "data, split so that training rows have them (split.by, split.test_from), or, if "
            "they are numbers, lockgate run project.task=regression"
        )
        raise SchemaViolation([*messages, advice])


def _exceeds_chance(count: int, rows: int, chance: float) -> bool:
    """Return whether so many rows are copies, beyond what coarse columns make equal."""
    expected, deviation = chance * rows, (chance * (1 - chance) * rows) ** 0.5
    limits = BEYOND_CHANCE * expected, expected + NOT_BY_CHANCE * (rows - expected)
    return bool(count > min(limits) + 3 * deviation)


def _hashes(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    return pd.util.hash_pandas_object(frame[list(columns)], index=False).to_numpy()


def _check_copies(
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


def _check_contradictions(
    known: pd.DataFrame, features: list[str], train: Table, chance: float
) -> list[str]:
    target = train.schema.target
    if target is None or train.schema[target].kind == "number":
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
