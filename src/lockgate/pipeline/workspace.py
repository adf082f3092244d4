"""The files through which stages pass data to each other."""

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

from lockgate.contract.recipes import Candidate, Recipe
from lockgate.contract.regions import PredictionRegion
from lockgate.contract.requests import Backend
from lockgate.contract.tables import Schema, Table
from lockgate.data.conform import conform_to_schema
from lockgate.data.io.atomic import replace_directory, write_file
from lockgate.data.io.prepared import FACTS_FILE, prepared_file, write_left_out
from lockgate.data.schema import compute_digest
from lockgate.errors import DataError
from lockgate.modeling.baselines import Baseline
from lockgate.modeling.change import RowMeasures
from lockgate.modeling.training.estimators import get_classes
from lockgate.modeling.training.quantiles import quantile_of
from lockgate.models.skops_file import read_estimator, write_estimator

__all__ = ["FinishedModel", "FittedModel", "Workspace", "to_plain"]

ESTIMATOR_FILE = "model.skops"


@dataclasses.dataclass(frozen=True)
class FinishedModel:
    """A finished model, written in the format of the bundle, with its metadata.

    Attributes
    ----------
    files : tuple of str
        Names of the model's files in its folder.
    schema : Schema
        Its features, and the columns with a role.
    task, metric : str
        What it predicts, and the metric that it was tuned for.
    classes : tuple
        Labels in the order of the scores.
    params : mapping
        Parameters of the estimator.
    threshold : float or None
        Smallest score for which the second of two classes is predicted.
    region : PredictionRegion or None
        Prediction interval or set.
    quantile : float or None
        Quantile that a regression predicts; None for a mean.
    tolerance : float
        Largest difference from the estimator that its format declares.
    parent : str or None
        The last compressor that was applied to it.

    """

    files: tuple[str, ...]
    schema: Schema
    task: str
    metric: str
    classes: tuple[Any, ...]
    params: Mapping[str, Any]
    threshold: float | None
    region: PredictionRegion | None
    quantile: float | None
    tolerance: float
    parent: str | None


@dataclasses.dataclass(frozen=True)
class FittedModel:
    """A fitted model between two stages, with its metadata.

    Attributes
    ----------
    candidate : Candidate
        Estimator, parameters and threshold.
    schema : Schema
        Its columns, with their rules for missing values and unknown categories.
    task : str
        What it predicts.
    classes : tuple
        Labels in the order of the scores.
    metric : str
        Name of the metric that it was tuned for.

    """

    candidate: Candidate
    schema: Schema
    task: str
    classes: tuple[Any, ...]
    metric: str

    @property
    def quantile(self) -> float | None:
        """Quantile that a regression predicts; None for a mean."""
        return quantile_of(self.candidate.recipe.estimator)


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The files of a project that the stages read and write; ``dvc.yaml`` lists them."""

    root: Path

    @property
    def report(self) -> Path:
        """Folder of the reports."""
        return self.root / "report"

    @property
    def bundle(self) -> Path:
        """Folder of the bundle, the result of the pipeline."""
        return self.root / "bundle"

    def model(self, name: str) -> Path:
        """Return the folder of a model, ``candidate`` or ``compressed``."""
        return self.root / "models" / name

    def write_tables(
        self, tables: dict[str, Table], left_out: pd.DataFrame, facts: dict[str, Any]
    ) -> None:
        """Write the train, tune and test rows, and the facts about them.

        `left_out` holds the columns of the test rows that the model leaves out.
        """
        facts_path = prepared_file(self.root, FACTS_FILE)
        facts_path.parent.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            _write_parquet(prepared_file(self.root, name), table.frame)
        write_left_out(left_out, self.root)
        digests = {
            name: table.digest or compute_digest(table.frame, table.schema)
            for name, table in tables.items()
        }
        facts = facts | {"digests": digests}
        write_json(facts_path, facts)

    def facts(self) -> dict[str, Any]:
        """Read the facts that the load stage wrote."""
        return dict(json.loads(prepared_file(self.root, FACTS_FILE).read_bytes()))

    def baselines(self) -> list[Baseline]:
        """Read what a model must beat, fitted by the load stage."""
        return msgspec.convert(self.facts()["baselines"], list[Baseline])

    def measured_parts(self) -> dict[str, RowMeasures]:
        """Read what the compress stage measured on the training and tune rows."""
        steps = json.loads((self.root / "models" / "steps.json").read_bytes())
        return msgspec.convert(steps["rows"], dict[str, RowMeasures])

    def schema(self) -> Schema:
        """Read the schema of the training rows."""
        return msgspec.convert(self.facts()["schema"], Schema)

    def table(self, name: str, schema: Schema) -> Table:
        """Read the ``train``, ``tune`` or ``test`` rows, the features converted to the schema."""
        frame = pd.read_parquet(prepared_file(self.root, name))
        return conform_table(Table(frame, schema, self.facts()["digests"][name]))

    def write_model(self, name: str, fitted: FittedModel) -> None:
        """Write a fitted model and its metadata."""
        candidate = fitted.candidate
        with replace_directory(self.model(name)) as folder:
            write_estimator(folder / ESTIMATOR_FILE, candidate.estimator, between_stages=True)
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
        """Read a fitted model; its recipe is an unfitted copy of the estimator."""
        from sklearn.base import clone

        folder = self.model(name)
        if not (folder / ESTIMATOR_FILE).is_file():
            raise DataError(f"{folder} does not contain a model; run the earlier stages: dvc repro")
        facts = json.loads((folder / "facts.json").read_bytes())
        estimator = read_estimator(folder / ESTIMATOR_FILE, between_stages=True)
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
        classes = get_classes(estimator, self.facts()["positive"])
        return FittedModel(candidate, schema, facts["task"], classes, facts["metric"])

    def write_finished(self, model: FinishedModel, files: Mapping[str, bytes]) -> None:
        """Write a finished model and its metadata."""
        with replace_directory(self.model("compressed")) as folder:
            for name, raw in files.items():
                (folder / name).write_bytes(raw)
            write_json(folder / "facts.json", model)

    def read_files(self, model: FinishedModel) -> dict[str, bytes]:
        """Read the files of the finished model."""
        folder = self.model("compressed")
        return {name: (folder / name).read_bytes() for name in model.files}

    def finished_bytes(self, model: FinishedModel) -> int:
        """Return the size of the finished model's files."""
        return sum((self.model("compressed") / name).stat().st_size for name in model.files)

    def read_finished(self) -> FinishedModel:
        """Read the metadata of the finished model."""
        path = self.model("compressed") / "facts.json"
        if not path.is_file():
            raise DataError(
                f"{path.parent} does not contain a model; run the earlier stages: dvc repro"
            )
        return msgspec.json.decode(path.read_bytes(), type=FinishedModel)


def conform_table(table: Table) -> Table:
    """Convert the features to the schema; leave the other columns as they are."""
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
    """Convert dataclasses and NumPy numbers to plain data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def empty_folder(path: Path) -> Path:
    """Remove everything in a folder, or create it."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    temporary_path = path.with_name(f".{path.name}.new")
    frame.to_parquet(temporary_path, index=False)
    temporary_path.replace(path)
