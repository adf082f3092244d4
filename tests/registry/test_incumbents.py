"""What is in a stage is measured on the test rows of a run, if it is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
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
        "its task is binary, its classes, the positive one last, are False, True" in note
        for note in notes
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
