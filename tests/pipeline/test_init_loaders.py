"""A new project of a workbook, a database, a query over files, and without a target."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import lockgate
from lockgate.plugins.host.params_file import read_params
from tests.conftest import Run


def rows(count: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "job": rng.choice([f"job {k}" for k in range(20)], count),
            "visits": rng.poisson(3, count),
            "day": pd.date_range("2026-01-01", periods=count),
        }
    )
    return frame.assign(left=np.where(rng.random(count) < 0.5, "yes", "no"))


def loader_of(project: Path) -> dict[str, Any]:
    (file,) = (project / "conf" / "loader").glob("*.yaml")
    settings: dict[str, Any] = yaml.safe_load(file.read_text())
    return settings


def test_a_workbook_is_copied_and_loaded(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "shop.xlsx", engine="xlsxwriter") as writer:
        pd.DataFrame({"a": [1]}).to_excel(writer, sheet_name="notes", index=False)
        rows().to_excel(writer, sheet_name="rows", index=False)
    project = lockgate.init(
        tmp_path / "p", data=tmp_path / "shop.xlsx", target="left", settings={"sheet": "rows"}
    )
    assert project.data == tmp_path / "p" / "data" / "raw" / "shop.xlsx"
    assert "120 rows, 3 features" in project.summary
    assert loader_of(project.directory) == {
        "defaults": ["excel@_here_"],
        "path": "data/raw/shop.xlsx",
        "target": "left",
        "sheet": "rows",
        "time": "day",
    }
    with pytest.raises(lockgate.UsageError, match="no sheet 'sheets'"):
        lockgate.init(
            tmp_path / "q", data=tmp_path / "shop.xlsx", target="left", settings={"sheet": "sheets"}
        )
    assert not (tmp_path / "q").exists()


def test_a_database_is_read_where_it_lies(tmp_path: Path, call: Run) -> None:
    raw = tmp_path / "p" / "data" / "raw"
    raw.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(raw / "shop.db")) as connection:
        rows().to_sql("visits", connection, index=False)
    settings = ["--set", "url=sqlite:///data/raw/shop.db", "--set", "chunk_rows=7"]
    query = "SELECT * FROM visits WHERE visits >= :least ORDER BY day"
    settings += ["--set", f"query={query}", "--set", "parameters={least: 2}"]
    init = ("lockgate", "init", "p", "--loader", "sql", *settings)
    refused = call(*init, "--target", "lift", cwd=tmp_path, code=2)
    assert "did you mean 'left'" in refused.stderr
    assert not (tmp_path / "p" / "conf").exists()
    call(*init, "--target", "left", cwd=tmp_path)
    written = loader_of(tmp_path / "p")
    assert (written["chunk_rows"], written["parameters"]) == (7, {"least": 2})
    assert (raw / "shop.db.dvc").is_file()
    call("lockgate", "stage", "load", cwd=tmp_path / "p", code=None)
    call("lockgate", "run", "--no-run", cwd=tmp_path / "p")
    secret = ("--set", "url=postgresql://me:secret@db/shop", "--set", "table=visits")
    told = call(
        *("lockgate", "init", "s", "--loader", "sql", *secret, "--target", "left"),
        cwd=tmp_path,
        code=2,
    )
    assert "password" in told.stderr
    assert "secret" not in told.stderr


def test_what_contradicts_is_refused(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "rows.csv", index=False)
    for options, words in (
        ({"data": tmp_path / "rows.csv", "loader": "sql", "target": "left"}, "pass one of them"),
        ({"loader": "sql"}, "column to predict is missing.*clustering or anomaly"),
        ({"settings": {"id": "a"}}, "pass data .--data. or a loader"),
        ({"task": "regression"}, "target and task are of rows"),
        ({"data": tmp_path / "rows.csv"}, "column to predict is missing"),
        ({"loader": "sqll", "target": "y"}, "did you mean 'sql'"),
        ({"loader": "sql", "target": "y", "settings": {"urll": "a"}}, "did you mean 'url'"),
    ):
        with pytest.raises(lockgate.LockgateError, match=words):
            lockgate.init(tmp_path / "p", **options)  # type: ignore[arg-type]  # of all kinds
        assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("task", "model"),
    [("auto", "logistic"), ("regression", "linear"), ("multiclass", "logistic")],
)
def test_the_task_that_is_asked_for_is_the_projects(
    tmp_path: Path, task: str, model: str, call: Run
) -> None:
    frame = rows().assign(rating=np.arange(120) % 6)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    lockgate.init(tmp_path / "p", data=tmp_path / "rows.csv", target="rating", task=task)
    call("lockgate", "run", "--no-run", cwd=tmp_path / "p")
    params = read_params(tmp_path / "p" / "params.yaml")
    assert (params["project"]["task"], [*params["model"]]) == (task, [model])


@pytest.mark.parametrize(
    ("task", "model"), [("clustering", "k-means"), ("anomaly", "isolation-forest")]
)
def test_a_task_without_a_target_has_its_model_and_evaluator(
    tmp_path: Path, task: str, model: str
) -> None:
    rows().drop(columns="left").to_csv(tmp_path / "rows.csv", index=False)
    lockgate.init(tmp_path / "p", data=tmp_path / "rows.csv", task=task)
    config = yaml.safe_load((tmp_path / "p" / "conf" / "config.yaml").read_text())
    chosen = {
        key: value
        for part in config["defaults"]
        if isinstance(part, dict)
        for key, value in part.items()
    }
    assert (chosen["model"], chosen["compressor"]) == (model, [])
    assert chosen["evaluator"] == [task, "cost"]
    assert config["project"]["task"] == task
    assert loader_of(tmp_path / "p")["target"] is None
    with pytest.raises(lockgate.UsageError, match=f"{task} needs no target"):
        lockgate.init(tmp_path / "q", data=tmp_path / "rows.csv", task=task, target="job")
