"""Writes the prediction log to Parquet, with what later turned out to be true beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError, UsageError, nearest
from lockgate.models.bundle.manifest import Manifest
from lockgate.prediction_log.entries import key_text
from lockgate.prediction_log.reader import Label, LoggedPrediction, known_models, labels, logged
from lockgate.prediction_log.trace import LOG

__all__ = ["export"]

ROWS = 20_000
"""Rows written at a time."""


def export(
    deployment: Deployment,
    target: Path,
    *,
    model: str | None = None,
    since: int = 0,
    until: int = 1 << 62,
    done: Callable[[int], object] = int,
) -> int:
    """Write the answers of one model.

    Parameters
    ----------
    deployment : Deployment
        Whose log.
    target : pathlib.Path
        The Parquet file; replaced when it is whole.
    model : str, optional
        Which model; not needed where the log knows only one.
    since, until : int
        From when to before when, in microseconds since 1970, UTC.
    done : callable
        Told how many rows were written.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    LogError
        If there is no log, or it does not know the model.

    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not target.absolute().parent.is_dir():
        raise UsageError(f"the folder of {target} is not there")
    folder = deployment.path / LOG
    if not folder.is_dir():
        raise LogError(f"{deployment.path} has no prediction log")
    name = _model(folder, model)
    truth = _Truth(labels(folder))
    beside = target.with_name(f".{target.name}.new")
    writer, rows, schema = None, 0, None
    try:
        for records in _gathered(_rows(folder, name, since, until, truth)):
            if schema is None:
                schema = _schema(deployment, folder, name, pa)
            table = pa.Table.from_pylist([_fitting(one, schema) for one in records], schema)
            writer = writer or pq.ParquetWriter(beside, schema)
            writer.write_table(table)
            rows += len(records)
            done(len(records))
        if writer is None:
            raise LogError(f"the log holds no answers of {name} in that time")
        writer.close()
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return rows


class _Truth:
    """Labels by id and by key, the latest of each."""

    def __init__(self, found: Iterator[Label]) -> None:
        self.by_id: dict[tuple[str, int, int], Label] = {}
        self.by_key: dict[str, Label] = {}
        for one in sorted(found, key=lambda label: label.at):
            if one.writer:
                self.by_id[one.writer, one.count, one.row] = one
            elif one.key is not None:
                self.by_key[one.key] = one

    def of(self, answer: LoggedPrediction, row: int, key: Any) -> Label | None:
        """Return what is known of a row."""
        found = self.by_id.get((answer.writer, answer.entry.count, row))
        if found is None and key is not None:
            found = self.by_key.get(key_text(key))
        return found


def _model(folder: Path, wanted: str | None) -> str:
    names = sorted({one.name for one in known_models(folder)})
    if wanted is None and len(names) == 1:
        return names[0]
    listed = ", ".join(names) or "none"
    if wanted is None:
        raise LogError(f"the log knows these models: {listed}; say which one")
    if wanted not in names:
        raise LogError(f"the log knows no {wanted}{nearest(wanted, names)}; it knows {listed}")
    return wanted


def _rows(
    folder: Path, name: str, since: int, until: int, truth: _Truth
) -> Iterator[dict[str, Any]]:
    for answer in logged(folder, since, until):
        if answer.model.name != name:
            continue
        for row, (inputs, label, score, key) in enumerate(answer.rows()):
            known = truth.of(answer, row, key)
            yield {
                "id": f"{answer.id}.{row}" if answer.entry.rows else answer.id,
                "time": answer.time,
                "model": name,
                "version": answer.model.version,
                "stage": answer.model.stage,
                "bundle": answer.model.digest,
                "key": None if key is None else key_text(key),
                **{f"input.{column}": value for column, value in inputs.items()},
                "label": label,
                "score": score,
                "margin": _margin(answer, row),
                "traceparent": answer.entry.trace or None,
                "truth": None if known is None else known.label,
                "truth_at": None if known is None else known.at,
            }


def _gathered(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    gathered = []
    for row in rows:
        gathered.append(row)
        if len(gathered) == ROWS:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def _margin(answer: LoggedPrediction, row: int) -> Any:
    margin = answer.entry.margin
    return margin if margin is None or not answer.entry.rows else margin[row]


def _schema(deployment: Deployment, folder: Path, name: str, pa: Any) -> Any:
    """Return the file's columns, of all versions together: numbers as doubles, else text."""
    models = [one for one in known_models(folder) if one.name == name]
    manifests = [found for one in models if (found := deployment.manifest(one.digest))]
    kinds = {one.name: one.kind for found in manifests for one in found.inputs.columns}
    outcome = _outcome(manifests, pa)
    wide = any(found.task == "multiclass" for found in manifests)
    figure = pa.list_(pa.float64()) if wide else pa.float64()
    moment = pa.timestamp("us", tz="UTC")
    fields = [("id", pa.string()), ("time", moment)]
    fields += [(one, pa.string()) for one in ("model", "version", "stage", "bundle", "key")]
    for column in dict.fromkeys(column for one in models for column in one.columns):
        number = kinds.get(column) in ("number", "integer", "boolean")
        fields.append((f"input.{column}", pa.float64() if number else pa.string()))
    fields += [("label", outcome), ("score", figure), ("margin", figure)]
    fields += [("traceparent", pa.string()), ("truth", outcome), ("truth_at", moment)]
    return pa.schema(fields)


def _outcome(manifests: list[Manifest], pa: Any) -> Any:
    kinds = {type(one) for found in manifests for one in found.classes}
    if manifests and not kinds:
        return pa.float64()
    named = {int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
    return named.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()


def _fitting(record: dict[str, Any], schema: Any) -> dict[str, Any]:
    """Return a record whose values are what the columns hold; what is not becomes empty."""
    return {field.name: _value(record.get(field.name), str(field.type)) for field in schema}


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else str(value)
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if kind == "int64":
        return value if isinstance(value, int) and abs(value) < 1 << 63 else None
    if kind.startswith("list"):
        return value if isinstance(value, list) else [value]
    if kind == "double":
        return float(value) if isinstance(value, (int, float)) and abs(value) < 1e308 else None
    return value
