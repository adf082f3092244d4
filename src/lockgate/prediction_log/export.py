"""Exports the prediction log to Parquet, joined with the labels that came later."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError, UsageError
from lockgate.models.bundle.manifest import Manifest
from lockgate.prediction_log.entries import Model, key_text
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

NUMBERS = ("number", "integer", "boolean")
"""Kinds of columns that are exported as doubles."""

PREFIX = "prediction."
"""Prefix of the columns about a prediction; inputs and target have the names of the training."""

TRUE_LABEL = "true_label"
"""Name of the column of true labels, where the model's target has no name."""

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
    schema, target_column, output_name = _build_schema(deployment, models)
    temporary_path = target.with_name(f".{target.name}.new")
    writer, rows = None, 0
    try:
        for records in _batch_rows(
            _read_rows(
                folder, models, period, (target_column, output_name), label_index, report_damaged
            )
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
    names: tuple[str, str],
    label_index: LabelIndex,
    on_damaged: OnDamaged,
) -> Iterator[dict[str, Any]]:
    target, output_name = names
    for prediction in read_predictions(folder, *period, on_damaged):
        if prediction.model not in models:
            continue
        for row, (inputs, label, score, key) in enumerate(prediction.rows()):
            true_label = label_index.find(prediction, row, key)
            yield {
                **inputs,
                target: None if true_label is None else true_label.label,
                f"{PREFIX}id": f"{prediction.id}.{row}" if prediction.entry.rows else prediction.id,
                f"{PREFIX}time": prediction.time,
                f"{PREFIX}model": prediction.model.name,
                f"{PREFIX}version": prediction.model.version,
                f"{PREFIX}stage": prediction.model.stage,
                f"{PREFIX}bundle": prediction.model.digest,
                f"{PREFIX}key": None if key is None else key_text(key),
                f"{PREFIX}{output_name}": label,
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


def _build_schema(deployment: Deployment, models: list[Model]) -> tuple[pa.Schema, str, str]:
    """Return the schema for all versions together, the target and the name of the prediction.

    Inputs come first, numbers as doubles, all others as texts; then the target, then the columns
    about the predictions.

    Raises
    ------
    LogError
        If an input has the name of another column.

    """
    manifests = [manifest for model in models if (manifest := deployment.manifest(model.digest))]
    kinds: dict[str, set[bool]] = {}
    for manifest in manifests:
        for column in manifest.schema.columns:
            kinds.setdefault(column.name, set()).add(column.kind in NUMBERS)
    served = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    names = {model.name for model in models}
    # the version that is served decides, and else the latest of the log
    by_weight = [*manifests, *(m for m in served if m is not None and m.name in names)]
    targets = [m.schema.target for m in by_weight if m.schema.target is not None]
    label_type = _label_type(manifests)
    output_name = "value" if {m.task for m in manifests} == {"regression"} else "label"
    is_multiclass = any(manifest.task == "multiclass" for manifest in manifests)
    score_type = pa.list_(pa.float64()) if is_multiclass else pa.float64()
    timestamp_type = pa.timestamp("us", tz="UTC")
    fields = []
    for name in dict.fromkeys(column for model in models for column in model.columns):
        # where versions differ, a text holds what all of them had
        is_number = kinds.get(name) == {True}
        fields.append((name, pa.float64() if is_number else pa.string()))
    target = targets[-1] if targets else TRUE_LABEL
    fields.append((target, label_type))
    about = [("id", pa.string()), ("time", timestamp_type)]
    about += [(name, pa.string()) for name in ("model", "version", "stage", "bundle", "key")]
    about += [(output_name, label_type), ("score", score_type), ("margin", score_type)]
    about += [("traceparent", pa.string()), ("labelled_at", timestamp_type)]
    schema = pa.schema([*fields, *((PREFIX + name, kind) for name, kind in about)])
    duplicated = [name for name in schema.names if schema.names.count(name) > 1]
    if duplicated:
        raise LogError(
            f"an input is named {duplicated[0]}, as the target or a column about the predictions; "
            "export one version at a time, with --version"
        )
    return schema, target, output_name


def _label_type(manifests: list[Manifest]) -> pa.DataType:
    kinds = {type(class_label) for manifest in manifests for class_label in manifest.classes}
    if manifests and not kinds:
        return pa.float64()
    arrow_types = {int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
    return arrow_types.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()


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
