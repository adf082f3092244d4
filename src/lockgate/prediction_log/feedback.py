"""Imports files of labels into the prediction log."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import csv

from lockgate.data.io.identity import current_user
from lockgate.deployment.directory import Deployment
from lockgate.errors import DataError, LogError, UsageError
from lockgate.models.bundle.manifest import Manifest
from lockgate.prediction_log.entries import Scalar, key_text
from lockgate.prediction_log.ids import PredictionIds, parse_prediction_id
from lockgate.prediction_log.labels import Outcome, match_outcome
from lockgate.prediction_log.lookup import count_matching_keys, find_rows
from lockgate.prediction_log.reader import OnDamaged
from lockgate.prediction_log.trace import LOG
from lockgate.prediction_log.writer import LogWriter
from lockgate.suggestions import nearest

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
    example_key : str
        One of these keys.

    """

    labels: int = 0
    empty: int = 0
    unknown: int = 0
    example: str = ""
    keys: int = 0
    matching: int = 0
    example_key: str = ""


def import_labels(
    directory: str | Path,
    source: str | Path,
    *,
    by: str,
    label: str | Sequence[str] = "label",
    ids: bool = False,
    on_written: Callable[[int], object] = int,
    on_damaged: OnDamaged = str,
    clock: Callable[[], int] = time.time_ns,
) -> ImportedLabels:
    """Write the labels of a file to the log.

    Parameters
    ----------
    directory : path-like
        The deployment directory with the log.
    source : path-like
        The file.
    by : str
        Name of the column with the key or id.
    label : str or sequence of str
        Name of the column with the label, or names of the targets of a model of several.
    ids : bool
        Whether `by` contains prediction ids rather than the client's keys.
    on_written : callable
        Called with the number of labels after each batch.
    on_damaged : callable
        Called with each file of the log that is damaged, and left out.
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
    deployment, source = Deployment(Path(directory)), Path(source)
    folder = deployment.path / LOG
    if not folder.is_dir():
        raise LogError(f"{deployment.path} has no prediction log")
    served = _served_models(deployment)
    columns = (label,) if isinstance(label, str) else tuple(label)
    user = current_user()[0]
    imported = ImportedLabels()
    name = f"{PredictionIds().boot}-labels"
    all_keys: set[str] = set()
    with contextlib.closing(LogWriter(folder, name, full=True, clock=clock)) as writer:
        first = 1
        for keys, values in _read_columns(source, by, columns):
            pairs = [
                (number, key, value)
                for number, (key, value) in enumerate(zip(keys, values, strict=True), first)
                if key is not None and value is not None
            ]
            imported.empty += len(keys) - len(pairs)
            first += len(keys)
            if ids:
                rows = _resolve_ids(deployment, source, pairs, served, imported, on_damaged)
            else:
                rows = [
                    ("", 0, 0, key, _check_label(source, number, value, served))
                    for number, key, value in pairs
                ]
                all_keys.update(key_text(key) for _, key, _ in pairs)
            imported.labels += writer.write_labels((*row, user) for row in rows)
            on_written(len(rows))
    if all_keys:
        imported.keys, imported.example_key = len(all_keys), max(all_keys)
        imported.matching = count_matching_keys(folder, all_keys, on_damaged)
    return imported


Pair = tuple[int, Any, Any]
"""Number of a row in the file, its key or id, and its label."""


def _resolve_ids(
    deployment: Deployment,
    source: Path,
    pairs: list[Pair],
    served: Sequence[Manifest],
    imported: ImportedLabels,
    on_damaged: OnDamaged,
) -> list[tuple[str, int, int, Any, Any]]:
    """Return what is written for labels by id; those of no logged prediction are counted."""
    manifest_of = functools.cache(deployment.manifest)
    parsed = [(_parse_id(source, number, key), number, key, value) for number, key, value in pairs]
    logged_rows = find_rows(deployment.path / LOG, [ref[:2] for ref, *_ in parsed], on_damaged)
    rows = []
    for (writer, count, row), number, key, value in parsed:
        logged = logged_rows.get((writer, count))
        if logged is not None and logged.many and "." not in str(key):
            raise DataError(
                f"{source}, row {number}: {key} has {logged.rows} rows; expected the id of one of "
                f"them, such as {key}.0"
            )
        if logged is None or row >= logged.rows:
            imported.unknown += 1
            imported.example = imported.example or str(key)
            continue
        # the version that predicted says what its labels are
        predicted = manifest_of(logged.model.digest)
        of_name = [manifest for manifest in served if manifest.name == logged.model.name]
        of_model = of_name if predicted is None else [predicted]
        label = _check_label(source, number, value, of_model)
        rows.append((writer, count, row, None, label))
    return rows


def _parse_id(source: Path, number: int, text: object) -> tuple[str, int, int]:
    try:
        return parse_prediction_id(str(text))
    except ValueError as error:
        raise DataError(f"{source}, row {number}: {error}") from None


def _served_models(deployment: Deployment) -> list[Manifest]:
    """Return the manifest of every model that is served; a stage may have others."""
    manifests = [deployment.manifest(slot.digest) for slot in deployment.pointer().slots]
    return [manifest for manifest in manifests if manifest is not None]


def _check_label(
    source: Path, number: int, cells: dict[str, Any], models: Sequence[Manifest]
) -> Outcome:
    for cell in cells.values():
        if not isinstance(cell, (str, int, float, bool)):
            raise DataError(f"{source}, row {number}: {cell!r:.60} is not a label")
    read = {name: _read_label(source, cell, models) for name, cell in cells.items()}
    outcome = _outcome_of(read, models)
    try:
        return match_outcome(outcome, models) if models else outcome
    except ValueError as error:
        raise DataError(f"{source}, row {number}: {error}") from None


def _outcome_of(cells: dict[str, Any], models: Sequence[Manifest]) -> Any:
    """Return the only cell, or that of the model's target; of several targets all cells."""
    several = [m.schema.targets for m in models if m.task == "multioutput"]
    if any({*cells} & {*targets} for targets in several):
        return cells
    named = [m.schema.target for m in models if m.schema.target in cells]
    if len(cells) > 1 and named:
        return cells[str(named[0])]
    return next(iter(cells.values())) if len(cells) == 1 else cells


def _read_label(source: Path, value: Scalar, models: Sequence[Manifest]) -> Scalar:
    """Return a label of a CSV file, all of whose cells are texts, as the models know it."""
    texts = {known for model in models for known in model.classes if isinstance(known, str)}
    if source.suffix.lower() != ".csv" or not isinstance(value, str) or value in texts:
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    try:
        return int(value)
    except ValueError:
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def _read_columns(
    source: Path, by: str, labels: tuple[str, ...]
) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield keys, and for each the label's cells that are not missing, None if all are."""
    # keys are compared as text: 0099 is not 99; NA may be a key, or a class
    convert_options = csv.ConvertOptions(
        column_types=dict.fromkeys((by, *labels), pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
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
    if by in labels or not labels:
        raise UsageError(f"expected two columns, one to join by and one with the label, got {by}")
    if not source.is_file():
        raise DataError(f"{source} is not a file")
    if file_format is None:
        raise DataError(f"{source} ends in {source.suffix!r}; expected one of {', '.join(formats)}")
    try:
        table = ds.dataset(source, format=file_format)
        names = table.schema.names
        for name in (by, *labels):
            if name not in names:
                raise DataError(f"{source} has no column {name}{nearest(name, names)}")
        for batch in table.to_batches(columns=[by, *labels], batch_size=10_000):
            cells = [batch.column(name).to_pylist() for name in labels]
            rows = (zip(labels, row, strict=True) for row in zip(*cells, strict=True))
            known = [{name: cell for name, cell in row if cell is not None} for row in rows]
            values = [row or None for row in known]
            yield batch.column(by).to_pylist(), values
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source} cannot be read: {' '.join(str(error).split())}") from None
