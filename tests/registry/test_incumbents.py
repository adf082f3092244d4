"""What is in a stage is measured on the test rows of a run, if it is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

import lockgate
from lockgate.contract.evaluation import EvaluateRequest
from lockgate.pipeline.incumbents import measure_incumbents
from lockgate.registry.api import Ledger
from tests.registry.conftest import packed


def request_of(
    bundle: lockgate.Bundle, *, classes: tuple[object, ...] = (False, True)
) -> EvaluateRequest:
    rng = np.random.default_rng(9)
    frame = pd.DataFrame(rng.normal(size=(300, 4)), columns=[f"x{k}" for k in range(4)])
    frame["bad"] = frame.sum(axis=1) + rng.normal(size=300) > 0
    # the new model leaves a column out that the incumbent takes
    table = lockgate.table(frame.drop(columns="x3"), target="bad")
    return EvaluateRequest(
        predictor=bundle.predictor,
        table=table,
        output=bundle.predict(frame),
        task="binary",
        classes=classes,
        rows=frame,
    )


def test_the_version_in_a_stage_is_measured_on_the_rows(shop: Path, bundles: list[Path]) -> None:
    ledger = Ledger(shop)
    request = request_of(lockgate.open(bundles[2]))
    notes: list[str] = []
    assert measure_incumbents(shop, "fraud", request, "", notes.append) == {}
    for stage in ("staging", "prod"):
        ledger.promote("fraud", stage, version="1.0.0", override=True, reason="first")
    incumbent = lockgate.open(bundles[0])
    (measured,) = measure_incumbents(
        shop, "fraud", request, str(incumbent.manifest.hashes.data), notes.append
    ).items()
    assert measured[0] == "incumbent 1.0.0 in prod, staging"
    scores = incumbent.predict(request.rows).score
    assert measured[1]["roc_auc"] == pytest.approx(roc_auc_score(request.rows["bad"], scores))
    (label,) = measure_incumbents(shop, "fraud", request, "0" * 64, notes.append)
    assert label == "incumbent 1.0.0 in prod, staging, fitted on other rows"
    assert notes == []


def test_what_cannot_be_compared_has_its_reason(
    shop: Path, bundles: list[Path], tmp_path: Path
) -> None:
    request = request_of(lockgate.open(bundles[0]), classes=("no", "yes"))
    ledger, notes = Ledger(shop), list[str]()
    ledger.register(packed(tmp_path / "wide", columns=6))
    for stage, version in (("prod", None), ("staging", "1.0.0")):
        ledger.promote("fraud", stage, version=version, override=True, reason="first")
    assert measure_incumbents(shop, "fraud", request, "", notes.append) == {}
    assert all(
        "its classes are False, True, those of the model 'no', 'yes'" in note for note in notes
    )
    notes.clear()
    request = request_of(lockgate.open(bundles[0]))
    assert len(measure_incumbents(shop, "fraud", request, "", notes.append)) == 1
    (note,) = notes
    assert "not compared with the incumbent 2.0.0 in prod" in note
    assert "column x4 is missing" in note
    notes.clear()
    quantile = replace(request, output=replace(request.output, quantile=0.9))
    assert measure_incumbents(shop, "fraud", quantile, "", notes.append) == {}
    assert all("it predicts means" in note for note in notes)


def test_without_a_repository_there_is_none(tmp_path: Path, bundles: list[Path]) -> None:
    request = request_of(lockgate.open(bundles[0]))
    assert measure_incumbents(tmp_path, "fraud", request, "", pytest.fail) == {}


def test_an_incumbent_of_several_targets_is_measured_by_their_names(
    shop: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["x", "z"])
    frame = frame.assign(a=frame["x"] + 100, b=frame["z"] - 100 + rng.normal(size=200))
    ledger, notes = Ledger(shop), list[str]()
    for targets, version in ((["b", "a"], "1.0.0"), (["a"], "2.0.0")):
        y = frame[targets] if len(targets) > 1 else frame["a"]
        model = LinearRegression().fit(frame[["x", "z"]], y)
        path = tmp_path / version
        lockgate.pack(model, frame[["x", "z"]], y, name="loads", path=path)
        ledger.register(path, version=version, outside=True)
    table = lockgate.table(frame, target=("a", "b"))
    predictor = lockgate.open(tmp_path / "1.0.0").predictor
    request = EvaluateRequest(
        predictor=predictor,
        table=table,
        output=lockgate.Output(table.target),
        task="multioutput",
        rows=frame,
    )
    ledger.promote("loads", "prod", version="1.0.0", override=True, reason="first")
    (metrics,) = measure_incumbents(shop, "loads", request, "", notes.append).values()
    assert notes == []
    assert metrics["r2_a"] == pytest.approx(1)
    assert 0.3 < metrics["r2_b"] < 0.7
    ledger.promote("loads", "prod", version="2.0.0", override=True, reason="second")
    assert measure_incumbents(shop, "loads", request, "", notes.append) == {}
    assert "the task is regression, that of the model is multioutput" in notes[0]
    notes.clear()
    other = replace(request, table=lockgate.table(frame.drop(columns="b"), target="z"))
    of_other = replace(other, task="regression", output=lockgate.Output(other.table.target))
    assert measure_incumbents(shop, "loads", of_other, "", notes.append) == {}
    assert "it predicts a" in notes[0]
