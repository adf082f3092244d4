"""Exports the prediction log to Parquet, joined with the labels that came later."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError, UsageError
from lockgate.prediction_log.entries import Model, key_text
from lockgate.prediction_log.export_schema import PREFIX, ExportedColumns, build_schema
from lockgate.prediction_log.reader import (
    LabelIndex,
    LoggedPrediction,
    OnDamaged,
    list_models,
    read_labels,
    read_predictions,
)
from lockgate.prediction_log.trace import LOG
from lockgate.suggestions import nearest

__all__ = ["export"]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BATCH_ROWS = 20_000
"""Rows that are written at a time."""


def export(
    directory: str | Path,
    target: str | Path,
    *,
    model: str | None = None,
    version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    on_written: Callable[[int], object] = int,
    on_damaged: OnDamaged | None = None,
) -> int:
    """Write the logged predictions of one model to a Parquet file.

    Parameters
    ----------
    directory : path-like
        The deployment directory with the log.
    target : path-like
        The Parquet file; replaced atomically.
    model : str, optional
        Name of the model; not needed if the log contains only one.
    version : str, optional
        Version of the model; by default all of them.
    since, until : datetime.datetime, optional
        First time, and the time after the last; UTC if they have no time zone.
    on_written : callable
        Called with the number of rows after each batch.
    on_damaged : callable, optional
        Called with each file of the log that is damaged, and left out; by default that is an
        error.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    LogError
        If the directory has no log, or the log has no predictions of the model then.
    UsageError
        If the folder of `target` does not exist.

    """
    deployment, target = Deployment(Path(directory)), Path(target)
    if not target.absolute().parent.is_dir():
        raise UsageError(f"the folder of {target} does not exist")
    folder = deployment.path / LOG
    if not folder.is_dir():
        raise LogError(f"{deployment.path} has no prediction log")
    known_damaged: set[str] = set()

    def report_damaged(message: str) -> None:
        if on_damaged is None:
            raise LogError(message)
        if message not in known_damaged:
            known_damaged.add(message)
            on_damaged(message)

    name = _choose_model(folder, model, report_damaged)
    label_index = LabelIndex(read_labels(folder, report_damaged))
    models = [
        logged
        for logged in list_models(folder, report_damaged)
        if logged.name == name and version in (None, logged.version)
    ]
    if not models:
        raise LogError(f"the log has no predictions of {name}@{version}")
    period = _microseconds(since, 0), _microseconds(until, 1 << 62)
    schema, columns = build_schema(deployment, models)
    temporary_path = target.with_name(f".{target.name}.new")
    writer, rows = None, 0
    try:
        for records in _batch_rows(
            _read_rows(folder, models, period, columns, label_index, report_damaged)
        ):
            table = pa.Table.from_pylist(
                [_fit_record(record, schema) for record in records], schema
            )
            writer = writer or pq.ParquetWriter(temporary_path, schema)
            writer.write_table(table)
            rows += len(records)
            on_written(len(records))
        if writer is None:
            raise LogError(f"the log has no predictions of {name} in that time")
        writer.close()
        with temporary_path.open("rb") as file:
            os.fsync(file.fileno())
        temporary_path.replace(target)  # only after the data is on disk
    finally:
        if writer is not None:
            writer.close()  # a second time does nothing
        temporary_path.unlink(missing_ok=True)
    return rows


def _choose_model(folder: Path, requested: str | None, on_damaged: OnDamaged) -> str:
    names = sorted({model.name for model in list_models(folder, on_damaged)})
    if requested is None and len(names) == 1:
        return names[0]
    available = ", ".join(names) or "none"
    if requested is None:
        raise LogError(f"the log contains several models; choose one of {available}")
    if requested not in names:
        raise LogError(
            f"the log has no predictions of {requested}{nearest(requested, names)}; "
            f"available: {available}"
        )
    return requested


def _microseconds(time: datetime | None, default: int) -> int:
    """Return a time in microseconds since 1970."""
    if time is None:
        return default
    since_1970 = (time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH
    return since_1970 // timedelta(microseconds=1)


def _read_rows(
    folder: Path,
    models: Collection[Model],
    period: tuple[int, int],
    columns: Mapping[str, ExportedColumns],
    label_index: LabelIndex,
    on_damaged: OnDamaged,
) -> Iterator[dict[str, Any]]:
    for prediction in read_predictions(folder, *period, on_damaged):
        if prediction.model not in models:
            continue
        names = columns[prediction.model.digest]
        for row, (inputs, label, score, key) in enumerate(prediction.rows()):
            true_label = label_index.find(prediction, row, key)
            yield {
                **inputs,
                **names.of_labels(None if true_label is None else true_label.label),
                f"{PREFIX}id": f"{prediction.id}.{row}" if prediction.entry.rows else prediction.id,
                f"{PREFIX}time": prediction.time,
                f"{PREFIX}model": prediction.model.name,
                f"{PREFIX}version": prediction.model.version,
                f"{PREFIX}stage": prediction.model.stage,
                f"{PREFIX}bundle": prediction.model.digest,
                f"{PREFIX}key": None if key is None else key_text(key),
                **names.of_predictions(label),
                f"{PREFIX}score": score,
                f"{PREFIX}margin": _row_margin(prediction, row),
                f"{PREFIX}traceparent": prediction.entry.trace or None,
                f"{PREFIX}labelled_at": None if true_label is None else true_label.at,
            }


def _batch_rows(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _row_margin(prediction: LoggedPrediction, row: int) -> Any:
    margin = prediction.entry.margin
    return margin if margin is None or not prediction.entry.rows else margin[row]


def _fit_record(record: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Return a record that fits the schema; values of another type become null."""
    return {field.name: _fit_value(record.get(field.name), str(field.type)) for field in schema}


def _fit_value(value: object, kind: str) -> object:
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else str(value)
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if kind == "int64":
        if isinstance(value, bool) or not isinstance(value, int):  # a bool is an int, too
            return None
        return value if abs(value) < 1 << 63 else None
    if kind.startswith("list"):
        return value if isinstance(value, list) else [value]
    if kind == "double":
        return _to_double(value)
    return value


def _to_double(value: object) -> float | None:
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
