"""A clock to set, a model to log for, and a deployment directory without a trained model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from lockgate.contract.tables import Column, Schema
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.models.bundle.manifest import Environment, Hashes, Manifest
from lockgate.prediction_log.entries import LogEntry, Model
from lockgate.prediction_log.reader import read_predictions
from lockgate.prediction_log.writer import LogWriter
from lockgate.registry.slots import Slot

WRITER = "abandonwhat23456"
START = 1_577_836_800
"""2020-01-01, UTC: before any file of a test was written."""

MODEL = Model("d" * 64, "churn", "1.0.0", "prod", ("age", "plan"))
COLUMNS = (
    Column("age", "number"),
    Column("plan", "category", categories=("basic", "plus")),
    Column("email", "category"),
    Column("note", "text"),
)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, seconds: float = START) -> None:
        self.seconds = seconds

    def wall(self) -> int:
        """Nanoseconds since 1970."""
        return round(self.seconds * 1e9)

    def monotonic(self) -> float:
        """Seconds since the test began."""
        return self.seconds - START


def writer_of(folder: Path, clock: Clock, name: str = WRITER) -> LogWriter:
    return LogWriter(folder, name, clock=clock.wall, monotonic=clock.monotonic)


def entry(count: int, **fields: Any) -> LogEntry:
    """One answer for a single row."""
    return LogEntry(**{"count": count, "rows": 0, "inputs": [30.5, "plus"], "label": 1, **fields})


def several(count: int, rows: int, **fields: Any) -> LogEntry:
    """One answer for several rows."""
    inputs = [[float(k) for k in range(rows)], ["basic"] * rows]
    scores = [k / rows for k in range(rows)]
    defaults = {"count": count, "rows": rows, "inputs": inputs, "label": [0] * rows}
    return LogEntry(**{**defaults, "score": scores, **fields})


def counts(folder: Path, since: int = 0, until: int = 1 << 62) -> list[int]:
    return [answer.entry.count for answer in read_predictions(folder, since, until)]


def manifest(name: str = "churn", **fields: Any) -> Manifest:
    defaults: dict[str, Any] = {
        "schema_version": 1,
        "reference_row": {},
        "name": name,
        "task": "binary",
        "schema": Schema(COLUMNS),
        "array_columns": [],
        "classes": [0, 1],
        "threshold": 0.5,
        "value_matrix": None,
        "region": None,
        "quantile": None,
        "format": "packed",
        "model": ["model.packed"],
        "files": {"model.packed": "0" * 64},
        "hashes": Hashes(None, "abc", {}),
        "environment": Environment({}, {}),
    }
    return Manifest(**defaults | fields)


def deployment_of(path: Path, *manifests: Manifest) -> tuple[Deployment, list[Model]]:
    """Write a pointer and manifests; the models are those that the log would hold."""
    (path / "manifests").mkdir(parents=True)
    models = []
    for number, document in enumerate(manifests, 1):
        raw = msgspec.json.encode(document)
        digest = hashlib.sha256(raw).hexdigest()
        (path / "manifests" / f"{digest}.json").write_bytes(raw)
        models.append(Model(digest, document.name, f"{number}.0.0", "prod", ("age", "plan")))
    slots = tuple(Slot(model.name, "prod", model.version, model.digest) for model in models)
    deployment = Deployment(path)
    deployment.pointer_path.write_bytes(msgspec.json.encode(Pointer(1, None, slots)))
    return deployment, models
