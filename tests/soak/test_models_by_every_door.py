"""Every model by `lockgate run`, `dvc exp run` and `dvc repro`: one bundle, with true metrics."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import davies_bouldin_score, mean_absolute_error, r2_score, roc_auc_score

import lockgate
from lockgate.contract.recipes import UNSUPERVISED
from lockgate.modeling.metrics.clusters import comparison_points
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.testing.examples import example_table
from tests.builtin.test_models import SMALL, SUPERVISED, TASKS_OF
from tests.conftest import Run

MODELS = sorted(entry.name for entry in Catalogue.installed() if entry.kind == "model")
CASES: list[tuple[str, str]] = [
    (name, task) for name in MODELS for task in TASKS_OF.get(name, SUPERVISED)
]
CASES += [("[logistic,tree]", "binary"), ("[linear,tree]", "regression")]

pytestmark = pytest.mark.skipif(
    not os.environ.get("LOCKGATE_SOAK"),
    reason="half a minute each: make soak; test_installed_plugins runs a project by every door",
)


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory, call: Run) -> dict[str, Path]:
    """A committed project for each task."""
    made = {}
    for task in {task for _, task in CASES}:
        root = tmp_path_factory.mktemp("projects") / task
        file = root.parent / f"{task}.csv"
        example_table(task, 300).frame.to_csv(file, index=False)  # type: ignore[arg-type]  # of a list
        target = [] if task in UNSUPERVISED else ["--target", "target"]
        target += ["--target", "second"] if task == "multioutput" else []
        call(
            *("lockgate", "init", str(root), "--data", str(file), "--task", task, *target),
            cwd=root.parent,
        )
        call("lockgate", "run", "--no-run", "compressor=[]", cwd=root)
        call("git", "add", "-A", cwd=root)
        call("git", "commit", "-qm", "first", cwd=root)
        made[task] = root
    return made


def digest(root: Path) -> str:
    return hashlib.sha256((root / "bundle" / "manifest.json").read_bytes()).hexdigest()


@pytest.mark.parametrize(("name", "task"), CASES)
def test_a_model_is_the_same_by_every_door(
    name: str, task: str, projects: dict[str, Path], call: Run, tmp_path: Path
) -> None:
    overrides = [f"model={name}"]
    for key, value in SMALL.get(name, {}).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        overrides.append(f"model.{name}.{key}={text}")
    doors = {door: tmp_path / door for door in ("run", "experiment", "repro")}
    for root in doors.values():
        shutil.copytree(projects[task], root)
    call("lockgate", "run", *overrides, cwd=doors["run"])
    sets = [word for text in overrides for word in ("-S", text)]
    call("dvc", "exp", "run", *sets, cwd=doors["experiment"])
    call("lockgate", "run", "--no-run", *overrides, cwd=doors["repro"])
    call("dvc", "repro", cwd=doors["repro"])
    assert len({digest(root) for root in doors.values()}) == 1
    reported = json.loads((doors["run"] / "report" / "metrics.json").read_bytes())
    assert reported == json.loads((doors["repro"] / "report" / "metrics.json").read_bytes())
    expected = measure(doors["run"], task)
    metrics = next(iter(reported.values()))
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, abs=1e-12)


def measure(root: Path, task: str) -> dict[str, float]:
    """The metrics of a plain script with scikit-learn's functions."""
    bundle, test = (
        lockgate.open(root / "bundle"),
        pd.read_parquet(root / "data/prepared/test.parquet"),
    )
    output: Any = bundle.predict(test)
    if task == "clustering":
        points = comparison_points(
            test[[column.name for column in bundle.manifest.inputs.columns]], bundle.manifest.inputs
        )
        return {"davies_bouldin": davies_bouldin_score(points, output.label)}
    if task == "anomaly":
        return {"flagged": float(np.mean(output.score >= bundle.manifest.threshold))}
    if task == "multioutput":
        each = r2_score(test[["target", "second"]], output.label, multioutput="raw_values")
        return {"mean_r2": each.mean(), "r2_target": each[0], "r2_second": each[1]}
    if task == "regression":
        return {
            "mae": mean_absolute_error(test["target"], output.label),
            "r2": r2_score(test["target"], output.label),
        }
    labels = {"accuracy": float(np.mean(output.label.astype(str) == test["target"].astype(str)))}
    if task == "binary":
        labels["roc_auc"] = roc_auc_score(test["target"] == "yes", output.score)
    return labels
