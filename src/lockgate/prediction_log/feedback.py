"""Imports files of labels into the prediction log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import csv

from lockgate.data.io.identity import current_user
from lockgate.deployment.directory import Deployment
from lockgate.errors import DataError, LogError, nearest
from lockgate.prediction_log.entries import Scalar
from lockgate.prediction_log.ids import PredictionIds, parse_prediction_id
from lockgate.prediction_log.labels import match_label
from lockgate.prediction_log.trace import LOG
from lockgate.prediction_log.writer import LogWriter

__all__ = ["ImportedLabels", "import_labels"]


@dataclass
class ImportedLabels:
    """Result of an import.

    Attributes
    ----------
    labels : int
        Labels that were written.
    empty : int
        Rows that were skipped because the key or the label is missing.

    """

    labels: int = 0
    empty: int = 0


def import_labels(
    deployment: Deployment,
    source: Path,
    *,
    by: str,
    label: str,
    ids: bool,
    on_written: Callable[[int], object] = int,
    clock: Callable[[], int] = time.time_ns,
) -> ImportedLabels:
    """Write the labels of a file to the log.

    Parameters
    ----------
    deployment : Deployment
        The deployment directory with the log.
    source : pathlib.Path
        The file.
    by, label : str
        Names of the columns with the key or id, and with the label.
    ids : bool
        Whether `by` contains prediction ids rather than the client's keys.
    on_written : callable
        Called with the number of labels after each batch.
    clock : callable
        Nanoseconds since 1970, UTC.

    Returns
    -------
    ImportedLabels
        How many labels were written, and how many rows skipped.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, or has an invalid id or label.
    LogError
        If the directory has no prediction log.

    """
    folder = deployment.path / LOG
    if not folder.is_dir():
        raise LogError(f"{deployment.path} has no prediction log")
    models = _served_classes(deployment)
    user = current_user()[0]
    imported = ImportedLabels()
    name = f"{PredictionIds().boot}-labels"
    with contextlib.closing(LogWriter(folder, name, full=True, clock=clock)) as writer:
        number = 0
        for keys, values in _read_columns(source, by, label):
            rows = []
            for key, value in zip(keys, values, strict=True):
                number += 1
                if key is None or value is None:
                    imported.empty += 1
                    continue
                prediction_ref = _parse_id(source, number, key) if ids else ("", 0, 0)
                checked_label = _check_label(source, number, value, models)
                rows.append((*prediction_ref, None if ids else key, checked_label, user))
            imported.labels += writer.write_labels(rows)
            on_written(len(rows))
    return imported


def _parse_id(source: Path, number: int, text: object) -> tuple[str, int, int]:
    try:
        return parse_prediction_id(str(text))
    except ValueError as error:
        raise DataError(f"{source}, row {number}: {error}") from None


def _served_classes(deployment: Deployment) -> list[tuple[Scalar, ...]]:
    """Return the classes of every model that is served."""
    manifests = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    return [tuple(manifest.classes) for manifest in manifests if manifest is not None]


def _check_label(
    source: Path, number: int, value: object, models: list[tuple[Scalar, ...]]
) -> Scalar:
    if not isinstance(value, (str, int, float, bool)):
        raise DataError(f"{source}, row {number}: {value!r:.60} is not a label")
    try:
        return match_label(value, models) if models else value
    except ValueError as error:
        raise DataError(f"{source}, row {number}: {error}") from None


def _read_columns(source: Path, by: str, label: str) -> Iterator[tuple[list[Any], list[Any]]]:
    # keys are compared as text: 0099 is not 99
    convert_options = csv.ConvertOptions(column_types={by: pa.string()}, strings_can_be_null=True)
    csv_format = ds.CsvFileFormat(convert_options=convert_options)
    formats = {
        ".csv": csv_format,
        ".parquet": "parquet",
        ".arrow": "ipc",
        ".feather": "ipc",
        ".ndjson": "json",
        ".jsonl": "json",
    }
    file_format = formats.get(source.suffix.lower())
    if not source.is_file():
        raise DataError(f"{source} is not a file")
    if file_format is None:
        raise DataError(f"{source} ends in {source.suffix!r}; expected one of {', '.join(formats)}")
    try:
        table = ds.dataset(source, format=file_format)
        names = table.schema.names
        for name in (by, label):
            if name not in names:
                raise DataError(f"{source} has no column {name}{nearest(name, names)}")
        for batch in table.to_batches(columns=[by, label], batch_size=10_000):
            yield batch.column(by).to_pylist(), batch.column(label).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source} cannot be read: {' '.join(str(error).split())}") from None
