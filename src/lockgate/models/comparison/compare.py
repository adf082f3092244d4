"""Compares two bundles on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import UNSUPERVISED
from lockgate.contract.tables import Table
from lockgate.data.io.visible import visible
from lockgate.errors import DataError, UsageError
from lockgate.models.bundle.evaluation import model_bytes
from lockgate.models.bundle.labelled_rows import keep_labelled, read_rows, table_of
from lockgate.models.bundle.open import Bundle
from lockgate.models.comparison.agreement import measure_agreement
from lockgate.models.comparison.changed_slices import find_changed_slices
from lockgate.models.comparison.comparable import Predicted, describe_mismatch
from lockgate.models.comparison.compared_bundle import ComparedBundle
from lockgate.models.comparison.comparison import Comparison
from lockgate.models.comparison.differing_rows import differing_rows
from lockgate.models.comparison.manifests import manifest_differences
from lockgate.models.comparison.metric_changes import (
    MetricChange,
    measured_changes,
    reported_changes,
)
from lockgate.models.comparison.pair import Pair

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare_bundles"]

REPEATS = 200
"""Predictions of single rows that are timed."""

BATCH = 1000
"""Rows that are timed together."""

BATCH_REPEATS = 7

FEWEST_RESAMPLES, MOST_RESAMPLES, DRAWN_ROWS = 500, 4000, 20_000_000
"""Resamples by default: as many as draw so many rows, within these bounds."""

EQUAL = 1e-12
"""Deviation of predictions, relative to the largest, that is rounding alone."""


def compare_bundles(
    first: Bundle,
    second: Bundle,
    rows: str | Path | pd.DataFrame | None,
    *,
    labels: tuple[str, str],
    resamples: int | None,
    seed: int,
    on_status: Callable[[str], None],
) -> Comparison:
    """Compare two bundles on the same rows; parameters as for `lockgate.compare`."""
    opened = [first, second]
    sides = _describe_sides(opened, labels)
    _check_comparable(opened, sides)
    changes = manifest_differences(*(bundle.manifest for bundle in opened))
    if rows is None:
        reported = reported_changes(*(bundle.metrics() for bundle in opened))
        return Comparison(*sides, 0, "", reported, None, None, changes, ())
    if resamples is not None and resamples < 1:
        raise UsageError(f"resamples is {resamples}; expected at least 1")
    on_status("predicting the rows by both")
    known = [_read(rows, bundle) for bundle in opened]
    if not len(known[1]):
        raise DataError("the rows to compare on are empty")
    pair = _predict_both(opened, known)
    on_status("comparing metrics on resampled rows")
    if resamples is None:
        affordable = DRAWN_ROWS // len(known[1])
        resamples = min(MOST_RESAMPLES, max(FEWEST_RESAMPLES, affordable))
    metrics = measured_changes(pair, opened, resamples=resamples, seed=seed)
    on_status("searching slices in which either is better")
    slices = None if pair.task in UNSUPERVISED else find_changed_slices(pair, known[1], seed)
    on_status("timing both in turns")
    return Comparison(
        *_time_both(opened, sides, pair),
        rows=len(known[1]),
        source="" if not isinstance(rows, (str, Path)) else str(rows),
        metrics=metrics,
        agreement=measure_agreement(pair, seed),
        slices=slices,
        differences=changes,
        notes=_notes(opened, sides, metrics),
        differing=differing_rows(pair, known[1]),
    )


def _describe_sides(
    opened: list[Bundle], labels: tuple[str, str]
) -> tuple[ComparedBundle, ComparedBundle]:
    if labels[0] == labels[1]:
        labels = (f"{labels[0]} (first)", f"{labels[1]} (second)")
    first, second = (
        ComparedBundle(
            visible(label, limit=200),
            bundle.manifest.name,
            bundle.digest,
            model_bytes(bundle),
            len(bundle.manifest.schema.features),
        )
        for label, bundle in zip(labels, opened, strict=True)
    )
    return first, second


def _check_comparable(opened: list[Bundle], sides: tuple[ComparedBundle, ComparedBundle]) -> None:
    old, new = (
        Predicted(
            side.label,
            bundle.manifest.task,
            bundle.classes,
            bundle.targets,
            bundle.manifest.quantile,
        )
        for bundle, side in zip(opened, sides, strict=True)
    )
    if reason := describe_mismatch(new, old):
        raise UsageError(f"{new.label} cannot be compared with {old.label}: {reason}")


def _read(rows: str | Path | pd.DataFrame, bundle: Bundle) -> pd.DataFrame:
    """Return the rows with a known target; of a file, its cells as this bundle reads them."""
    schema = bundle.manifest.schema
    if isinstance(rows, (str, Path)):
        return read_rows(Path(rows), schema)
    return keep_labelled(rows, schema.targets, "the rows")


def _predict_both(opened: list[Bundle], known: list[pd.DataFrame]) -> Pair:
    tables = [table_of(bundle, frame) for bundle, frame in zip(opened, known, strict=True)]
    if len(tables[0]) != len(tables[1]):
        raise DataError(
            f"the bundles read {len(tables[0]):,} and {len(tables[1]):,} rows with a known target; "
            "both must read the same: pass a Parquet file, whose cells have types"
        )
    old, new = (
        bundle.predict(table.features) for bundle, table in zip(opened, tables, strict=True)
    )
    first, second = tables
    return Pair(
        opened[1].manifest.task,
        (_with_roles(first, second), second),
        (_without_rounding(old, new), new),
        (opened[0].classes, opened[1].classes),
    )


def _without_rounding(output: Output, other: Output) -> Output:
    """Return predictions in which those that differ from others by rounding alone do not differ."""
    changed: dict[str, Any] = {}
    for name in ("label", "score"):
        values, others = getattr(output, name), getattr(other, name)
        if values is None or others is None:
            continue
        values, others = np.asarray(values), np.asarray(others)
        if values.dtype.kind == others.dtype.kind == "f" and values.shape == others.shape:
            equal = np.isclose(values, others, rtol=EQUAL, atol=EQUAL * np.abs(others).max())
            changed[name] = np.where(equal, others, values)
    return replace(output, **changed)


def _with_roles(table: Table, other: Table) -> Table:
    """Return a table whose rows have the weights and groups of another."""
    schema = other.schema
    roles: dict[str, Any] = {role: getattr(schema, role) for role in ("weight", "group")}
    columns = {name: other.frame[name] for name in roles.values() if name is not None}
    return replace(
        table, frame=table.frame.assign(**columns), schema=replace(table.schema, **roles)
    )


def _time_both(
    opened: list[Bundle], sides: tuple[ComparedBundle, ComparedBundle], pair: Pair
) -> tuple[ComparedBundle, ComparedBundle]:
    from lockgate.models.bundle.single_rows import median_seconds, row_predictor

    frames = [table.features for table in pair.tables]
    single = [
        row_predictor(bundle.predictor, frame) for bundle, frame in zip(opened, frames, strict=True)
    ]
    chosen = np.resize(np.arange(len(frames[0])), BATCH)

    def batch(bundle: Bundle, frame: pd.DataFrame) -> Callable[[], object]:
        part = frame.iloc[chosen].reset_index(drop=True)
        return lambda: bundle.predictor.predict(part)

    together = [batch(bundle, frame) for bundle, frame in zip(opened, frames, strict=True)]
    row_seconds = median_seconds(single, REPEATS)
    batch_seconds = median_seconds(together, BATCH_REPEATS)
    first, second = (
        replace(side, one_row_us=alone * 1e6, batch_row_us=batched * 1e6 / BATCH)
        for side, alone, batched in zip(sides, row_seconds, batch_seconds, strict=True)
    )
    return first, second


def _notes(
    opened: list[Bundle],
    sides: tuple[ComparedBundle, ComparedBundle],
    metrics: tuple[MetricChange, ...],
) -> tuple[str, ...]:
    digests = [bundle.manifest.hashes.data for bundle in opened]
    notes = []
    if None in digests or digests[0] != digests[1]:
        notes.append(
            "their training tables differ in rows or columns, or are not recorded: if either was "
            "fitted on some of these rows, it looks better than it is"
        )
    valued = any(change.name.startswith("business.") for change in metrics)
    if valued and opened[0].manifest.value_matrix != opened[1].manifest.value_matrix:
        notes.append(
            f"decisions of both are valued as {sides[0].label} values them, or where it does not, "
            f"as {sides[1].label} does"
        )
    roles = [(schema.weight, schema.group) for schema in (b.manifest.schema for b in opened)]
    if roles[0] != roles[1]:
        notes.append(f"weights and groups of the rows are those of {sides[1].label}")
    return tuple(notes)
