"""The models that a worker serves, and the words by which requests ask for them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from lockgate.errors import BundleError, nearest
from lockgate.models.bundle.open import open_bundle
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.registry.slots import STAGE, Slot
from lockgate.serving.http.messages import HTTPError

__all__ = ["LoadedModel", "ModelStore"]

SIZES = (4, 8, 16, 32, 64, 128)
"""Numbers of waiting rows at which both ways are timed."""


class LoadedModel:
    """One model, opened and warm.

    Attributes
    ----------
    name, version, stage, digest : str
        What is served, where, and the bundle's digest.
    manifest : Manifest
        What the bundle says about itself.
    model : PackedModel
        What answers.
    names : tuple of str
        Its inputs, in order.
    columns_from : float
        Number of rows from which computing them together is faster.

    """

    def __init__(self, slot: Slot, folder: Path, *, batching: str = "auto") -> None:
        self.name, self.version, self.stage = slot.name, slot.version, slot.stage
        self.digest = slot.digest
        bundle = open_bundle(folder)
        if bundle.digest != slot.digest:
            raise BundleError(f"{folder} has digest {bundle.digest}, expected {slot.digest}")
        if bundle.manifest.name != slot.name:
            raise BundleError(f"{folder} is the model {bundle.manifest.name}, not {slot.name}")
        model = getattr(bundle.predictor, "model", None)
        if not isinstance(model, PackedModel):
            raise BundleError(
                f"{folder} has the format {bundle.manifest.format}; a server answers with packed "
                "models only: run the pipeline with format=packed, or lockgate pack"
            )
        self.manifest, self.model = bundle.manifest, model
        self.names = tuple(one.name for one in model.inputs)
        self.listed = [
            (one.name, frozenset(one.categories))
            for one in model.inputs
            if one.kind == "category" and one.unknown == "ignore"
        ]
        self.probes = _probe_rows(folder, self.names)
        self.columns_from: float = {"on": 2, "off": math.inf}.get(batching, 0)
        if batching == "auto":
            self.columns_from = _faster_from(model, self.probes)
        self.regression = model.task == "regression"

    @property
    def address(self) -> str:
        """Name and version."""
        return f"{self.name}@{self.version}"

    def may_have_missing(self, row: Any) -> bool:
        """Whether a row may hold gaps or unknown categories."""
        return None in row.values() or any(row[name] not in known for name, known in self.listed)


class ModelStore:
    """What is served at one moment; never changed, only replaced.

    Parameters
    ----------
    served : iterable of Served
        All models in all stages.
    seq : int
        Event of the deployment directory that it follows.

    """

    def __init__(self, served: Iterable[LoadedModel], seq: int = 0) -> None:
        self.all, self.seq = tuple(served), seq
        self.by_word: dict[str, LoadedModel] = {}
        for one in self.all:
            self.by_word[f"{one.name}@{one.version}"] = one
        for one in self.all:
            self.by_word[f"{one.name}@{one.stage}"] = one
        for one in sorted(self.all, key=lambda one: one.stage == STAGE):
            self.by_word[one.name] = one
        names = {one.name for one in self.all}
        self.default = self.by_word[names.pop()] if len(names) == 1 else None

    def find(self, word: str | None) -> LoadedModel:
        """Return the model that a request asks for.

        Raises
        ------
        Refusal
            404, with what is served.

        """
        found = self.by_word.get(word) if word else self.default
        if found is not None:
            return found
        listed = ", ".join(sorted(one.address for one in self.all)) or "nothing"
        if not word:
            raise HTTPError(404, f"several models are served; say which: {listed}")
        raise HTTPError(
            404, f"no model {word[:80]!r}{nearest(word, self.by_word)}; served: {listed}"
        )


def _probe_rows(folder: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    probes = msgspec.json.decode((folder / "probes.json").read_bytes())
    columns = [probes["columns"][name] for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _faster_from(model: PackedModel, probes: list[dict[str, Any]]) -> float:
    """Time both ways; they answer alike, so only the speed hangs on what is found."""
    if not probes:
        return math.inf
    best = math.inf
    for size in reversed(SIZES):
        rows = (probes * (size // len(probes) + 1))[:size]
        together = _seconds(partial(model.predict, rows, engine="columns"))
        alone = _seconds(lambda given: [model.predict_one(row) for row in given], rows)
        if together >= 0.9 * alone:
            break
        best = size
    return best


def _seconds(work: Any, *given: Any) -> float:
    """Return the shortest of three times, after one that warms up."""
    times = []
    for _ in range(4):
        began = time.perf_counter()
        work(*given)
        times.append(time.perf_counter() - began)
    return min(times[1:])
