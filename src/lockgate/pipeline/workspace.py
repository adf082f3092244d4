"""Where stages leave values for each other, and in which form."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from lockgate.contract.modeling import Candidate, Recipe
from lockgate.contract.requests import Backend
from lockgate.contract.tables import Schema, Table
from lockgate.data.conform import conform_to_schema
from lockgate.data.io.atomic import replace_directory, write_file
from lockgate.errors import DataError
from lockgate.modeling.training.estimators import get_classes
from lockgate.models.skops_file import read_estimator, write_estimator

__all__ = ["FinishedModel", "FittedModel", "Workspace", "to_plain"]

ESTIMATOR_FILE = "model.skops"


@dataclasses.dataclass(frozen=True)
class FinishedModel:
    """A finished model in the form in which it will be opened, with what is known about it.

    Attributes
    ----------
    file : str
        Name of the model's file in its folder.
    schema : Schema
        Columns that it asks for, and the columns with a role.
    task, metric : str
        What it predicts, and which metric decided.
    classes : tuple
        Labels in the order of the scores.
    params : mapping
        Parameters of the estimator.
    threshold : float or None
        Score from which the second of two classes is answered.
    parent : str or None
        The compressor that made it.

    """

    file: str
    schema: Schema
    task: str
    metric: str
    classes: tuple[Any, ...]
    params: Mapping[str, Any]
    threshold: float | None
    parent: str | None


@dataclasses.dataclass(frozen=True)
class FittedModel:
    """A fitted model on its way, with what is known about it.

    Attributes
    ----------
    candidate : Candidate
        Estimator, parameters, threshold.
    schema : Schema
        Its columns, policies for gaps and unknown categories included.
    task : str
        What it predicts.
    classes : tuple
        Labels in the order of the scores.
    metric : str
        Name of the metric that decided.

    """

    candidate: Candidate
    schema: Schema
    task: str
    classes: tuple[Any, ...]
    metric: str


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The files of a project that stages read and write; their names stand in ``dvc.yaml``."""

    root: Path

    @property
    def report(self) -> Path:
        """Folder of everything for people."""
        return self.root / "report"

    @property
    def bundle(self) -> Path:
        """The one directory that leaves the pipeline."""
        return self.root / "bundle"

    def model(self, name: str) -> Path:
        """Folder of ``candidate`` or ``compressed``."""
        return self.root / "models" / name

    def write_tables(self, tables: dict[str, Table], facts: dict[str, Any]) -> None:
        """Write the parts of the data, and the facts about them."""
        folder = self.root / "data" / "prepared"
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            _write_parquet(folder / f"{name}.parquet", table.frame)
        facts = facts | {"digests": {name: table.digest for name, table in tables.items()}}
        write_json(folder / "facts.json", facts)

    def facts(self) -> dict[str, Any]:
        """Read what the load stage found out."""
        return dict(json.loads((self.root / "data" / "prepared" / "facts.json").read_bytes()))

    def schema(self) -> Schema:
        """Read the schema of the training rows."""
        return msgspec.convert(self.facts()["schema"], Schema)

    def table(self, name: str, schema: Schema) -> Table:
        """Read a part of the data, its features as models expect them."""
        path = self.root / "data" / "prepared" / f"{name}.parquet"
        frame = pd.read_parquet(path)
        return conform_table(Table(frame, schema, self.facts()["digests"][name]))

    def write_model(self, name: str, fitted: FittedModel) -> None:
        """Write a fitted model and what is known about it."""
        candidate = fitted.candidate
        with replace_directory(self.model(name)) as folder:
            write_estimator(folder / ESTIMATOR_FILE, candidate.estimator)
            facts = {
                "schema": dataclasses.asdict(fitted.schema),
                "task": fitted.task,
                "classes": list(fitted.classes),
                "metric": fitted.metric,
                "params": dict(candidate.params),
                "threshold": candidate.threshold,
                "parent": candidate.parent,
            }
            write_json(folder / "facts.json", facts)

    def read_model(self, name: str, backend: Backend) -> FittedModel:
        """Read a fitted model; its recipe is what the pipeline was before it was fitted."""
        from sklearn.base import clone

        folder = self.model(name)
        if not (folder / ESTIMATOR_FILE).is_file():
            raise DataError(f"{folder} holds no model; run the stages before: dvc repro")
        facts = json.loads((folder / "facts.json").read_bytes())
        estimator = read_estimator(folder / ESTIMATOR_FILE)
        *steps, (_, last) = clone(estimator).steps
        if "backend" in last.get_params(deep=False):
            last.set_params(backend=backend)
        candidate = Candidate(
            Recipe(last, facts["task"], steps=tuple(steps)),
            facts["params"],
            estimator,
            threshold=facts["threshold"],
            parent=facts["parent"],
        )
        schema = msgspec.convert(facts["schema"], Schema)
        classes = get_classes(estimator)
        return FittedModel(candidate, schema, facts["task"], classes, facts["metric"])

    def write_finished(self, model: FinishedModel, raw: bytes) -> None:
        """Write a finished model and what is known about it."""
        with replace_directory(self.model("compressed")) as folder:
            (folder / model.file).write_bytes(raw)
            write_json(folder / "facts.json", model)

    def read_finished(self) -> FinishedModel:
        """Read what is known about the finished model."""
        path = self.model("compressed") / "facts.json"
        if not path.is_file():
            raise DataError(f"{path.parent} holds no model; run the stages before: dvc repro")
        return msgspec.json.decode(path.read_bytes(), type=FinishedModel)


def conform_table(table: Table) -> Table:
    """Cast the features as models expect them; other columns stay."""
    features = conform_to_schema(table.frame, table.schema)
    frame = table.frame.copy(deep=False)
    for name in features.columns:
        frame[name] = features[name]
    return dataclasses.replace(table, frame=frame)


def write_json(path: Path, value: Any) -> None:
    """Write plain data as JSON with sorted keys, one line per entry."""
    raw = msgspec.json.encode(to_plain(value), order="sorted")
    write_file(path, msgspec.json.format(raw, indent=2) + b"\n")


def to_plain(value: Any) -> Any:
    """Turn dataclasses and numpy's numbers into plain data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def empty_folder(path: Path) -> Path:
    """Empty a folder, or make it."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    temporary_path = path.with_name(f".{path.name}.new")
    frame.to_parquet(temporary_path, index=False)
    temporary_path.replace(path)
