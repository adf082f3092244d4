"""Probe rows may differ by what a format declares, and by no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import lockgate
from lockgate.contract.prediction import FunctionPredictor, Output
from lockgate.contract.tables import Column, Schema
from lockgate.models.bundle.probes import check_probes

SCHEMA = Schema((Column("x", "number"),))


def check(recorded: list[float], answered: list[float], tolerance: Any = None) -> None:
    probes = {"columns": {"x": [0.0] * len(recorded)}, "label": recorded, "score": None}
    probes |= {} if tolerance is None else {"tolerance": tolerance}
    check_probes(probes, SCHEMA, FunctionPredictor(SCHEMA, lambda _: Output(np.array(answered))))


def test_answers_may_differ_by_the_declared_tolerance() -> None:
    check([100.0, 0.5], [100.0005, 0.5], 1e-5)
    with pytest.raises(lockgate.BundleError, match="probe row 0"):
        check([100.0, 0.5], [100.0005, 0.5])
    with pytest.raises(lockgate.BundleError, match="probe row 0"):
        check([100.0, 0.5], [100.005, 0.5], 1e-5)
    # small values are compared in their own unit
    with pytest.raises(lockgate.BundleError, match="probe row 0"):
        check([2e-4, 5e-4], [-3e-4, 9e-4], 1e-3)


@pytest.mark.parametrize("tolerance", [1, 0.1, "1e-5", -1.0, 10**400, True])
def test_a_tolerance_that_no_format_may_declare_is_refused(tolerance: Any) -> None:
    with pytest.raises(lockgate.BundleError, match="tolerance of .*expected 1e-09 to 0.001"):
        check([1.0], [1.0], tolerance)


def test_a_packed_model_has_none(tmp_path: Path) -> None:
    X = np.arange(20.0).reshape(10, 2)
    bundle = lockgate.pack(LinearRegression().fit(X, X[:, 0]), X, path=tmp_path / "plain")
    probes = json.loads((bundle.path / "probes.json").read_bytes())
    copied = Path(shutil.copytree(bundle.path, tmp_path / "copy"))
    assert "tolerance" not in probes
    with pytest.raises(lockgate.BundleError, match="packed model have a tolerance"):
        check_probes({**probes, "tolerance": 1e-5}, bundle.manifest.inputs, bundle.predictor)
    assert lockgate.open(copied).digest == bundle.digest
