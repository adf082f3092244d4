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
from lockgate.prediction_log.entries import Scalar, key_text
from lockgate.prediction_log.ids import PredictionIds, parse_prediction_id
from lockgate.prediction_log.labels import match_label
from lockgate.prediction_log.lookup import count_matching_keys, find_rows
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
    unknown : int
        Rows that were skipped because the log has no prediction with their id.
    example : str
        The first of these ids.
    keys, matching : int
        Distinct keys of the labels that were written, and how many of them a logged row has.

    """

    labels: int = 0
    empty: int = 0
    unknown: int = 0
    example: str = ""
    keys: int = 0
    matching: int = 0


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
        How many labels were written, how many of them match logged predictions, and how many
        rows were skipped.

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
    classes = _served_classes(deployment)
    user = current_user()[0]
    imported = ImportedLabels()
    name = f"{PredictionIds().boot}-labels"
    all_keys: set[str] = set()
    with contextlib.closing(LogWriter(folder, name, full=True, clock=clock)) as writer:
        first = 1
        for keys, values in _read_columns(source, by, label):
            pairs = [
                (number, key, value)
                for number, (key, value) in enumerate(zip(keys, values, strict=True), first)
                if key is not None and value is not None
            ]
            imported.empty += len(keys) - len(pairs)
            first += len(keys)
            if ids:
                rows = _resolve_ids(folder, source, pairs, classes, imported)
            else:
                every = list(classes.values())
                rows = [
                    ("", 0, 0, key, _check_label(source, number, value, every))
                    for number, key, value in pairs
                ]
                all_keys.update(key_text(key) for _, key, _ in pairs)
            imported.labels += writer.write_labels((*row, user) for row in rows)
            on_written(len(rows))
    if all_keys:
        imported.keys = len(all_keys)
        imported.matching = count_matching_keys(folder, all_keys, lambda _: None)
    return imported


Pair = tuple[int, Any, Any]
"""Number of a row in the file, its key or id, and its label."""


def _resolve_ids(
    folder: Path,
    source: Path,
    pairs: list[Pair],
    classes: dict[str, tuple[Scalar, ...]],
    imported: ImportedLabels,
) -> list[tuple[str, int, int, Any, Any]]:
    """Return what is written for labels by id; those of no logged prediction are counted."""
    parsed = [(_parse_id(source, number, key), number, key, value) for number, key, value in pairs]
    logged_rows = find_rows(folder, [ref[:2] for ref, *_ in parsed], lambda _: None)
    rows = []
    for (writer, count, row), number, key, value in parsed:
        logged = logged_rows.get((writer, count))
        if logged is None or row >= logged.rows:
            imported.unknown += 1
            imported.example = imported.example or str(key)
            continue
        of_model = [known for name, known in classes.items() if name == logged.model.name]
        label = _check_label(source, number, value, of_model)
        rows.append((writer, count, row, None, label))
    return rows


def _parse_id(source: Path, number: int, text: object) -> tuple[str, int, int]:
    try:
        return parse_prediction_id(str(text))
    except ValueError as error:
        raise DataError(f"{source}, row {number}: {error}") from None


def _served_classes(deployment: Deployment) -> dict[str, tuple[Scalar, ...]]:
    """Return the classes of every model that is served, by its name."""
    manifests = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    return {
        manifest.name: tuple(manifest.classes) for manifest in manifests if manifest is not None
    }


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
