"""The models that a worker serves, and the names by which requests select them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec

from lockgate.contract.recipes import NUMERIC
from lockgate.errors import BundleError
from lockgate.models.bundle.open import open_bundle
from lockgate.models.bundle.open_format import Model, servable_model
from lockgate.registry.slots import STAGE, Slot
from lockgate.serving.http.messages import HTTPError
from lockgate.serving.prediction.filled_memory import FilledMemory
from lockgate.suggestions import nearest

__all__ = ["LoadedModel", "ModelStore"]

SIZES = (4, 8, 16, 32, 64, 128)
"""Batch sizes at which computing rows together is timed."""

REMEMBERED = 1024
"""Categories whose nearest known category is remembered."""


class LoadedModel:
    """A model, opened and warmed up.

    Attributes
    ----------
    name, version, stage, digest : str
        What is served, where, and the bundle's digest.
    manifest : Manifest
        What the bundle says about itself.
    predictor : PackedModel or TableModel
        The model that predicts.
    names : tuple of str
        Its inputs, in order.
    columns_from : float
        Number of rows from which computing them together is faster.
    regression : bool
        Whether it predicts numbers.
    value_names : tuple of str
        Names of the values where there are several: the targets; empty for other models.
    never_missing : frozenset of str
        Columns that had no missing value in training.
    contract : DataContract or None
        Rules of its inputs, which rows are checked against on request.
    filled : FilledMemory
        Counts the cells of single rows that the model fills.
    explainers : Explainers
        Explains its predictions.
    nearest : callable
        As `lockgate.suggestions.nearest`, but remembers: requests repeat their categories.

    """

    def __init__(self, slot: Slot, folder: Path, *, batching: str = "auto") -> None:
        self.name, self.version, self.stage = slot.name, slot.version, slot.stage
        self.digest = slot.digest
        bundle = open_bundle(folder)
        if bundle.digest != slot.digest:
            raise BundleError(f"{folder} has digest {bundle.digest}, expected {slot.digest}")
        if bundle.manifest.name != slot.name:
            raise BundleError(f"{folder} is the model {bundle.manifest.name}, not {slot.name}")
        predictor = servable_model(bundle.predictor, str(folder), bundle.manifest.format)
        self.manifest, self.predictor = bundle.manifest, predictor
        self.explainers = bundle.explainers
        self.never_missing, self.contract = bundle.never_missing, bundle.input_contract
        self.nearest = lru_cache(REMEMBERED)(nearest)
        self.names = tuple(column.name for column in predictor.inputs)
        self.filled = FilledMemory(predictor.inputs, self.never_missing, self.nearest)
        self.probes = _read_probes(folder, self.names)
        self.columns_from: float = {"on": 2, "off": math.inf}.get(batching, 0)
        if batching == "auto":
            self.columns_from = _measure_columns_from(predictor, self.probes)
        self.regression = predictor.task in NUMERIC
        several = predictor.task == "multioutput"
        self.value_names = bundle.manifest.schema.targets if several else ()

    @property
    def prediction_facts(self) -> dict[str, Any]:
        """What a caller must know of its predictions: quantile, coverage and targets, if any."""
        region = self.manifest.region
        about = {
            "quantile": self.manifest.quantile,
            "coverage": None if region is None else region.coverage,
            "targets": self.value_names or None,
        }
        return {name: value for name, value in about.items() if value is not None}

    @property
    def address(self) -> str:
        """Name and version."""
        return f"{self.name}@{self.version}"


class ModelStore:
    """The models that are served at one moment; replaced as a whole, never changed.

    Parameters
    ----------
    models : iterable of LoadedModel
        All models in all stages.
    seq : int
        Event of the deployment directory that it follows.

    """

    def __init__(self, models: Iterable[LoadedModel], seq: int = 0) -> None:
        self.all, self.seq = tuple(models), seq
        self.by_name: dict[str, LoadedModel] = {}
        for model in self.all:
            self.by_name[f"{model.name}@{model.version}"] = model
        for model in self.all:
            self.by_name[f"{model.name}@{model.stage}"] = model
        for model in sorted(self.all, key=lambda model: model.stage == STAGE):
            self.by_name[model.name] = model
        names = {model.name for model in self.all}
        self.default = self.by_name[names.pop()] if len(names) == 1 else None

    def find(self, model_name: str | None) -> LoadedModel:
        """Return the model that a request selects.

        Raises
        ------
        HTTPError
            404, with what is served.

        """
        model = self.by_name.get(model_name) if model_name else self.default
        if model is not None:
            return model
        available = ", ".join(sorted(other.address for other in self.all)) or "nothing"
        if not model_name:
            raise HTTPError(404, f"several models are served; choose one: {available}")
        raise HTTPError(
            404,
            f"no model {model_name[:80]!r}{nearest(model_name, self.by_name)}; served: {available}",
        )


def _read_probes(folder: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    probes = msgspec.json.decode((folder / "probes.json").read_bytes())
    columns = [probes["columns"][name] for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _measure_columns_from(model: Model, probes: list[dict[str, Any]]) -> float:
    """Return the batch size from which columns are faster; predictions are equal either way."""
    if not probes:
        return math.inf
    rows = (probes * (SIZES[-1] // len(probes) + 1))[: SIZES[-1]]
    alone = _measure_seconds(lambda: [model.predict_one(row) for row in rows[: SIZES[0]]])
    for size in SIZES:
        together = _measure_seconds(partial(model.predict, rows[:size], engine="columns"))
        if together < 0.9 * alone / SIZES[0] * size:
            return size
    return math.inf


def _measure_seconds(function: Callable[[], object]) -> float:
    """Return the shortest of three times, after a warm-up."""
    times = []
    for _ in range(4):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times[1:])
