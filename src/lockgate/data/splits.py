"""Splits without leakage: by time, by group, stratified, at random."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lockgate.contract.sections import Split
from lockgate.contract.tables import Fold, Splits, Table
from lockgate.data.columns.frames import Series, parse_date
from lockgate.errors import SchemaViolation

__all__ = ["make_folds", "resolve_method", "split_rows"]

Indices: TypeAlias = NDArray[np.intp]
"""Positions of rows in a table."""


def resolve_method(table: Table, rules: Split) -> str:
    """Return how to split a table; ``auto`` depends on its roles."""
    if rules.by != "auto":
        missing = rules.by in ("time", "group") and getattr(table.schema, rules.by) is None
        if missing:
            raise SchemaViolation(
                [f"split.by is {rules.by}, but the loader declares no {rules.by} column"]
            )
        if rules.by == "stratified" and len(table.schema.targets) > 1:
            raise SchemaViolation(
                ["split.by is stratified, by the classes of a single target; use random"]
            )
        return rules.by
    if table.schema.time is not None:
        return "time"
    if table.schema.group is not None:
        return "group"
    return "stratified" if isinstance(table.schema.target, str) else "random"


def split_rows(table: Table, rules: Split, seed: int) -> Splits:
    """Split a table into train, tune and test.

    By time: test rows are the latest, and the target of every training row was known
    before the first test row (``horizon_days``). Earlier and later rows of a group
    are then in different splits, as when the model is used. By group: all rows of a
    group are in the same split, which depends on group and seed only, so that adding
    rows later moves no group. Stratified: equal shares of every class.
    """
    method = resolve_method(table, rules)
    for name in ("test_from", "tune_from"):
        if method != "time" and getattr(rules, name) is not None:
            raise SchemaViolation(
                [f"split.{name} is set, but the split is by {method}, not by time"]
            )
    if method == "time":
        test, rest, dropped = _split_by_time(table, rules)
    else:
        test = _sample_rows(table, np.arange(len(table)), rules.test, method, f"{seed}:test")
        rest = np.setdiff1d(np.arange(len(table)), test)
        dropped = {}
    tune = _choose_tune_rows(table, rest, rules, method, seed)
    train = np.setdiff1d(rest, tune)
    if method == "time" and len(tune):
        train, late = drop_unlabelled_at_cutoff(table, train, tune)
        if late:
            dropped["target not known before the first tune row"] = late
    parts = {"train": train, "tune": tune, "test": test}
    empty = [name for name, rows in parts.items() if not len(rows)]
    if empty:
        raise SchemaViolation([f"the split leaves no rows for {' and '.join(empty)}"])
    tables = {name: _select_rows(table, rows) for name, rows in parts.items()}
    return Splits(tables["train"], tables["tune"], tables["test"], dropped=dropped)


def make_folds(train: Table, method: str, count: int, seed: int) -> tuple[Fold, ...]:
    """Split training rows for cross-validation, by the method of the table's split.

    By time without groups each fold is measured on the rows after it (rolling
    origin); rows of equal times are in the same block.
    """
    rows = np.arange(len(train))
    if method == "time" and train.schema.group is None:
        block = _assign_blocks(_parse_times(train).to_numpy(), count + 1)
        pairs = [(rows[block <= k], rows[block == k + 1]) for k in range(count)]
        pairs = [
            (drop_unlabelled_at_cutoff(train, f, m)[0], m) for f, m in pairs if len(f) and len(m)
        ]
    else:
        grouped = train.schema.group is not None and method in ("time", "group")
        block = assign_folds(train, count, "group" if grouped else method, f"{seed}:folds")
        pairs = [(rows[block != k], rows[block == k]) for k in range(count)]
    target = None if train.schema.target is None else train.target
    folds = tuple(
        Fold(fit, measure)
        for fit, measure in pairs
        if len(measure) and len(fit) and (target is None or _varies(target[fit]))
    )
    if len(folds) < 2:
        summary = (
            f"{len(train)} training rows, split by {method}, give {len(folds)} of {count} folds"
        )
        summary += "" if target is None else " with more than one target value"
        raise SchemaViolation([f"{summary}; reduce search.folds or change split.by"])
    return folds


def drop_unlabelled_at_cutoff(table: Table, rows: Indices, later: Indices) -> tuple[Indices, int]:
    """Leave out rows whose target was not yet known at the first of the later rows.

    If rows reach into the time of the later ones (groups split at one cut date),
    they do not precede them, and none is left out.
    """
    times = _parse_times(table)
    start = times.iloc[later].min()
    if times.iloc[rows].max() >= start:
        return rows, 0
    known = (times.iloc[rows] + pd.Timedelta(days=table.schema.horizon_days) <= start).to_numpy()
    return rows[known], int((~known).sum())


def _parse_times(table: Table) -> pd.Series[pd.Timestamp]:
    return pd.to_datetime(table.frame[str(table.schema.time)])


def _split_by_time(table: Table, rules: Split) -> tuple[Indices, Indices, dict[str, int]]:
    times = _parse_times(table)
    if times.isna().any():
        raise SchemaViolation([f"time column {table.schema.time} has missing values"])
    if rules.test_from is not None:
        start = parse_date(rules.test_from)
    else:
        start = times.sort_values().iloc[int(len(times) * (1 - rules.test))]
    known = times + pd.Timedelta(days=table.schema.horizon_days)
    is_test = (times >= start).to_numpy()
    is_rest = (~is_test) & (known <= start).to_numpy()
    late = int((~is_test & ~is_rest).sum())
    dropped = {f"target not known before {start.date()}": late} if late else {}
    return np.flatnonzero(is_test), np.flatnonzero(is_rest), dropped


def _choose_tune_rows(table: Table, rest: Indices, rules: Split, method: str, seed: int) -> Indices:
    if not len(rest):
        return rest
    if method != "time":
        return _sample_rows(table, rest, rules.tune, method, f"{seed}:tune")
    times = _parse_times(table).iloc[rest]
    if rules.tune_from is not None:
        return rest[(times >= parse_date(rules.tune_from)).to_numpy()]
    if table.schema.group is not None:
        return _sample_rows(table, rest, rules.tune, "group", f"{seed}:tune")
    if times.nunique() == 1:
        return _sample_rows(table, rest, rules.tune, "stratified", f"{seed}:tune")
    start = times.sort_values().iloc[int(len(times) * (1 - rules.tune))]
    return rest[(times >= start).to_numpy()]


def _sample_rows(table: Table, rows: Indices, share: float, method: str, key: str) -> Indices:
    part = _select_rows(table, rows)
    if method == "group":
        return rows[_hash_groups(part.frame[part.schema.group], key) < share]
    order = _rank_within(part, method, key)
    return np.sort(rows[order < share])


def assign_folds(train: Table, count: int, method: str, key: str) -> Indices:
    """Return the number of each row's fold."""
    if method == "group":
        return (_hash_groups(train.frame[train.schema.group], key) * count).astype(int)
    folds: Indices = (_rank_within(train, method, key) * count).astype(int)
    return np.minimum(folds, count - 1)


def _varies(target: np.ndarray) -> bool:
    """Whether the target, or each of several, has different values."""
    if target.ndim == 1:
        return len(pd.unique(target)) > 1
    return bool((target != target[:1]).any(axis=0).all())


def _rank_within(part: Table, method: str, key: str) -> np.ndarray:
    """Return each row's rank in a random order, from 0 to 1; within its class if stratified."""
    numbers = np.random.default_rng(_hash_key(key)).random(len(part))
    target = part.schema.target
    stratified = method == "stratified" and isinstance(target, str)
    classes = part.frame[target] if stratified else None
    if classes is None or classes.nunique() > 50:
        return pd.Series(numbers).rank(pct=True, method="first").to_numpy() - 1e-12
    ranks = pd.Series(numbers).groupby(classes.to_numpy()).rank(pct=True, method="first")
    return ranks.to_numpy() - 1e-12


def _hash_groups(groups: Series, key: str) -> np.ndarray:
    """Return a number in [0, 1) for each row that depends on its group and the key only."""
    names = pd.Series(groups.astype(str).to_numpy())
    numbers = {name: _hash_key(f"{key}:{name}") / 2**64 for name in names.unique()}
    return names.map(numbers).to_numpy(dtype=float)


def _hash_key(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def _assign_blocks(times: np.ndarray, count: int) -> Indices:
    """Assign rows to blocks of about equal size, rising in time, equal times together."""
    ranks = pd.Series(times).rank(pct=True, method="max").to_numpy()
    blocks: Indices = (ranks * count - 1e-9).astype(int)
    return np.minimum(blocks, count - 1)


def _select_rows(table: Table, rows: Indices) -> Table:
    return Table(table.frame.iloc[rows].reset_index(drop=True), table.schema)
