"""Reasons at serving: those of `bundle.explain`, by every protocol that has them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

import lockgate
from lockgate.deployment.directory import Deployment
from tests.serving.running import Server, serving

COLUMNS = [f"x{k}" for k in range(13)]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(200, 13)), columns=COLUMNS)


@pytest.fixture(scope="module")
def bundles(
    rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, lockgate.Bundle]:
    folder = tmp_path_factory.mktemp("explained")
    late = (rows.x0 + rows.x1 * rows.x2 > 0).astype(int)
    three = np.array(["low", "middle", "high"])[np.digitize(rows.x0, [-0.5, 0.5])]
    both = pd.DataFrame({"cost": rows.x0 * 2, "delay": rows.x1})
    fitted: dict[str, tuple[Any, Any]] = {
        "linear": (LogisticRegression(), late),
        "deep": (RandomForestClassifier(20, random_state=0), three),
        "both": (RandomForestRegressor(3, max_depth=3, random_state=0), both),
        "kernel": (SVC(), late),
    }
    return {
        name: lockgate.pack(model.fit(rows, target), rows, target, name=name, path=folder / name)
        for name, (model, target) in fitted.items()
    }


def deployed(bundle: lockgate.Bundle, folder: Path) -> Path:
    live = Deployment(folder / "live")
    live.deploy(bundle.path, version="1.0.0")
    return live.path


def post(server: Server, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, answer, *_ = server.ask("POST", "/predict", body)
    return status, answer


@pytest.mark.parametrize("name", ["linear", "deep", "both"])
def test_reasons_are_those_of_the_bundle(
    bundles: dict[str, lockgate.Bundle], rows: pd.DataFrame, tmp_path: Path, name: str
) -> None:
    bundle = bundles[name]
    sent = rows.head(8).to_dict("records")
    explanation = bundle.explain(rows.head(8))
    expected = [explanation.document(row, 3) for row in range(8)]
    tensors = [
        {"name": c, "shape": [8], "datatype": "FP64", "data": rows[c].head(8).tolist()}
        for c in COLUMNS
    ]
    with serving(deployed(bundle, tmp_path)) as server:
        status, alone = post(server, {"row": sent[0], "explain": 3})
        assert (status, alone["explanation"]) == (200, json.loads(json.dumps(expected[0])))
        # once more: now the explainer is made, and may answer within the loop
        assert post(server, {"row": sent[0], "explain": 3})[1]["explanation"] == expected[0]
        assert "explanation" not in post(server, {"row": sent[0]})[1]
        assert post(server, {"rows": sent, "explain": 3})[1]["explanations"] == expected
        body = {"inputs": tensors, "parameters": {"explain": 3}}
        answer = server.ask("POST", f"/v2/models/{name}/infer", body)[1]
        assert json.loads(answer["parameters"]["explanations"]) == expected
        everything = post(server, {"row": sent[0], "explain": 99})[1]["explanation"]
        reasons = everything["cost"]["reasons"] if name == "both" else everything["reasons"]
        assert len(reasons) <= 13
        assert all(reason["contribution"] for reason in reasons)


def test_refused_rows_have_none(
    bundles: dict[str, lockgate.Bundle], rows: pd.DataFrame, tmp_path: Path
) -> None:
    sent = rows.head(3).to_dict("records")
    sent[1]["x0"] = "many"
    expected = bundles["linear"].explain(rows.head(3))
    with serving(deployed(bundles["linear"], tmp_path)) as server:
        answer = post(server, {"rows": sent, "explain": 2, "partial": True})[1]
        assert list(answer["refused"]) == ["1"]
        assert answer["explanations"] == [expected.document(0, 2), None, expected.document(2, 2)]
        assert post(server, {"row": sent[1], "explain": 2})[0] == 422


def test_what_cannot_be_explained_is_refused(
    bundles: dict[str, lockgate.Bundle], rows: pd.DataFrame, tmp_path: Path
) -> None:
    row = rows.iloc[0].to_dict()
    with serving(deployed(bundles["kernel"], tmp_path)) as server:
        status, answer = post(server, {"row": row, "explain": 1})
        assert status == 422
        assert "explain: 13 inputs (x0, x1, x2, ...) act together" in answer["error"]
        assert post(server, {"row": row})[0] == 200
        for explain in (-1, "3", 1.5, True):
            status, answer = post(server, {"row": row, "explain": explain})
            assert status in (400, 422)
            assert "explain" in answer["error"]
        tensor = {"name": "x", "shape": [1, 13], "datatype": "FP64", "data": [0.0] * 13}
        body = {"inputs": [tensor], "parameters": {"explain": "all"}}
        status, answer, *_ = server.ask("POST", "/v2/models/kernel/infer", body)
        assert (status, "whole number from 0" in answer["error"]) == (422, True)
        body["parameters"] = {"explain": 1, "against": "training"}
        status, answer, *_ = server.ask("POST", "/v2/models/kernel/infer", body)
        assert (status, "against the reference row" in answer["error"]) == (422, True)
        status, answer = post(server, {"rows": [row] * 1001, "explain": 1})
        assert status == 422
        assert "at most 1000 rows" in answer["error"]


def test_others_are_answered_while_many_are_explained(
    bundles: dict[str, lockgate.Bundle], rows: pd.DataFrame, tmp_path: Path
) -> None:
    sent = rows.to_dict("records")
    expected = bundles["deep"].explain(rows)
    with serving(deployed(bundles["deep"], tmp_path)) as server:
        with ThreadPoolExecutor(8) as pool:
            explained = [
                pool.submit(post, server, {"row": sent[k], "explain": 2}) for k in range(40)
            ]
            plain = [pool.submit(post, server, {"row": sent[k]}) for k in range(40)]
            for k in range(40):
                status, answer = explained[k].result()
                assert (status, answer["explanation"]) == (200, expected.document(k, 2))
                assert plain[k].result()[0] == 200


def test_fewer_rows_are_explained_where_columns_act_together(
    rows: pd.DataFrame, tmp_path: Path
) -> None:
    few = rows[COLUMNS[:12]]
    late = (few.x0 > 0).astype(int)
    bundle = lockgate.pack(SVC().fit(few, late), few, late, name="k", path=tmp_path / "kernel")
    sent = few.head(5).to_dict("records")
    with serving(deployed(bundle, tmp_path)) as server:
        status, answer = post(server, {"rows": sent, "explain": 1})
        assert (status, "at most 4 rows" in answer["error"]) == (422, True)
        answer = post(server, {"rows": sent[:2], "explain": 1})[1]
        expected = bundle.explain(few.head(2))
        assert answer["explanations"] == [expected.document(row, 1) for row in range(2)]
