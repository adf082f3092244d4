"""Labels that come late, many at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.data.io.identity import current_user
from lockgate.deployment.directory import Deployment
from lockgate.errors import DataError, LogError, nearest
from lockgate.prediction_log.ids import PredictionIds, parse_receipt
from lockgate.prediction_log.labels import fitting_label
from lockgate.prediction_log.trace import LOG
from lockgate.prediction_log.writer import LogWriter

__all__ = ["ImportedLabels", "import_labels"]


@dataclass
class ImportedLabels:
    """How many labels were taken, and how many rows had none or no key."""

    labels: int = 0
    empty: int = 0


def import_labels(
    deployment: Deployment,
    source: Path,
    *,
    by: str,
    label: str,
    ids: bool,
    done: Callable[[int], object] = int,
    clock: Callable[[], int] = time.time_ns,
) -> ImportedLabels:
    """Write the labels of a file to the log.

    Parameters
    ----------
    deployment : Deployment
        Whose log.
    source : pathlib.Path
        The file.
    by, label : str
        Columns with the key or id, and with the label.
    ids : bool
        Whether `by` holds ids of answers rather than the caller's keys.
    done : callable
        Told how many labels were written.
    clock : callable
        Nanoseconds since 1970, UTC.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, or holds what is no id.

    """
    folder = deployment.path / LOG
    if not folder.is_dir():
        raise LogError(f"{deployment.path} has no prediction log")
    models = _classes(deployment)
    who = current_user()[0]
    taken = ImportedLabels()
    name = f"{PredictionIds().boot}-labels"
    with contextlib.closing(LogWriter(folder, name, full=True, clock=clock)) as writer:
        number = 0
        for keys, values in _columns(source, by, label):
            rows = []
            for key, value in zip(keys, values, strict=True):
                number += 1
                if key is None or value is None:
                    taken.empty += 1
                    continue
                at = _receipt(source, number, key) if ids else ("", 0, 0)
                said = _label(source, number, value, models)
                rows.append((*at, None if ids else key, said, who))
            taken.labels += writer.label(rows)
            done(len(rows))
    return taken


def _receipt(source: Path, number: int, text: Any) -> tuple[str, int, int]:
    try:
        return parse_receipt(str(text))
    except ValueError as error:
        raise DataError(f"{source}, row {number}: {error}") from None


def _classes(deployment: Deployment) -> list[tuple[Any, ...]]:
    """Return the classes of every model that is served."""
    found = [deployment.manifest(one.digest) for one in deployment.pointer().slots]
    return [tuple(one.classes) for one in found if one is not None]


def _label(source: Path, number: int, value: Any, models: list[tuple[Any, ...]]) -> Any:
    if not isinstance(value, (str, int, float, bool)):
        raise DataError(f"{source}, row {number}: {value!r:.60} is no label")
    try:
        return fitting_label(value, models) if models else value
    except ValueError as error:
        raise DataError(f"{source}, row {number}: {error}") from None


def _columns(source: Path, by: str, label: str) -> Iterator[tuple[list[Any], list[Any]]]:
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyarrow import csv

    # keys are compared as texts: 0099 is not 99
    texts = csv.ConvertOptions(column_types={by: pa.string()}, strings_can_be_null=True)
    rows = ds.CsvFileFormat(convert_options=texts)
    forms = {
        ".csv": rows,
        ".parquet": "parquet",
        ".arrow": "ipc",
        ".feather": "ipc",
        ".ndjson": "json",
        ".jsonl": "json",
    }
    form = forms.get(source.suffix.lower())
    if not source.is_file():
        raise DataError(f"{source} is not there, or is no file")
    if form is None:
        raise DataError(f"{source} ends in {source.suffix!r}; expected one of {', '.join(forms)}")
    try:
        table = ds.dataset(source, format=form)
        names = table.schema.names
        for name in (by, label):
            if name not in names:
                raise DataError(f"{source} has no column {name}{nearest(name, names)}")
        for batch in table.to_batches(columns=[by, label], batch_size=10_000):
            yield batch.column(by).to_pylist(), batch.column(label).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source} cannot be read: {' '.join(str(error).split())}") from None
