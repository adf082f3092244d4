"""Requests are checked against the data contract of the model where they ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.deployment.directory import Deployment
from tests.serving.running import serving

ROW = {"months": 3, "charge": 80.5, "calls": None, "plan": "plus", "abroad": "yes"}
BAD = ROW | {"charge": 1e6, "plan": "pluss"}
CHARGE = "data contract: column charge holds 1000000"


@pytest.fixture(scope="module")
def contracted(tmp_path_factory: pytest.TempPathFactory, fitted: dict[str, Any]) -> Path:
    """A deployment of the logistic model with a contract inferred from its rows."""
    estimator, frame, y = fitted["logistic"]
    contract = lockgate.infer_contract(lockgate.table(frame))
    folder = tmp_path_factory.mktemp("contracted")
    lockgate.pack(estimator, frame, y, name="churn", path=folder / "b", contract=contract)
    deployment = Deployment(folder / "live")
    deployment.deploy(folder / "b", version="1.0.0")
    return deployment.path


def test_rows_are_refused_or_reported_by_every_protocol(contracted: Path) -> None:
    v2 = {
        "inputs": [
            {
                "name": name,
                "shape": [1, 1],
                "datatype": "BYTES" if isinstance(cell, str) else "FP64",
                "data": [cell],
            }
            for name, cell in BAD.items()
        ]
    }
    bodies = (
        ("/predict", {"row": BAD}),
        ("/predict", {"rows": [BAD]}),
        ("/predict", {"columns": {name: [cell] for name, cell in BAD.items()}}),
        ("/v2/models/churn/infer", v2),
        ("/invocations", {"dataframe_records": [BAD]}),
    )
    with serving(contracted) as server:
        for path, body in bodies:
            status, said, _ = server.ask("POST", path, body, lockgate_contract="enforce")
            assert status in (400, 422), (path, said)
            assert CHARGE in str(said), (path, said)
            status, said, _ = server.ask("POST", path, body)
            assert status == 200, (path, said)
        for body in ({"row": BAD}, {"rows": [BAD]}):
            status, said, _ = server.ask("POST", "/predict", body, lockgate_contract="report")
            assert status == 200
            assert any("column charge: 1 of 1" in w for w in said["warnings"])
        status, said, _ = server.ask("POST", "/predict", {"row": ROW}, lockgate_contract="enforce")
        assert status == 200, said


def test_a_partial_request_gets_the_rows_that_hold_the_contract(contracted: Path) -> None:
    with serving(contracted) as server:
        body = {"rows": [ROW, BAD], "partial": True}
        status, said, _ = server.ask("POST", "/predict", body, lockgate_contract="enforce")
        assert status == 200
        assert said["labels"][0] is not None
        assert said["labels"][1] is None
        assert CHARGE in str(said)
        assert said["filled"] == {"gaps": {"calls": 1}}  # of the row that was predicted
        assert "warnings" not in said
        _, openapi, _ = server.ask("GET", "/openapi.json")
        assert "lockgate-contract" in str(openapi["paths"]["/predict"]["post"]["parameters"])


def test_other_values_and_models_without_a_contract_are_refused(
    contracted: Path, deployed: Deployment
) -> None:
    with serving(contracted) as server:
        status, said, _ = server.ask("POST", "/predict", {"row": ROW}, lockgate_contract="yes")
        assert status == 400
        assert "enforce or report" in said["error"]
        status, _, _ = server.ask("POST", "/predict", {"row": ROW}, lockgate_contract="")
        assert status == 400
    with serving(deployed.path) as server:
        status, said, _ = server.ask("POST", "/predict", {"row": ROW}, lockgate_contract="report")
        assert status == 400
        assert "no data contract" in said["error"]
