"""The ways of a row, a setting, a table and a judgement, as docs/architecture.md lists them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from omegaconf import OmegaConf
from sklearn.linear_model import LogisticRegression

import lockgate
from lockgate.builtin.models.boosting import Boosting
from lockgate.cli.commands import lockgate as command_line
from lockgate.contract.gates import EvaluatedBundle, GateResult, JudgeRequest
from lockgate.contract.tables import Splits, Table
from lockgate.deployment.directory import Deployment
from lockgate.pipeline.stage import Stage, run_stage
from lockgate.plugins.host.parameters import Parameters
from lockgate.plugins.host.plugin_choice import PluginChoice
from lockgate.registry.provenance.verdict import GateRecord, Verdict
from lockgate.serving.application import Application
from lockgate.serving.endpoints import all_routes
from lockgate.serving.http.connection_pool import ConnectionPool
from lockgate.serving.http.messages import Request, Response
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.prediction.requests import Prediction, PredictionRequest
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import PAGE, MetricsRecorder
from tests.conftest import ROOT, environment
from tests.docs.tracing import Call, packages, returns, trace
from tests.registry.conftest import QUIET, git, new_repository, packed

PAGE_TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def documented(way: str) -> list[str]:
    """The calls that the page lists for a way."""
    section = PAGE_TEXT.split(f"### The way of a {way}")[1].split("\n#")[0]
    return re.findall(r"^\d+\. `([\w.]+)`", section, re.MULTILINE)


def of_types(*types: type) -> Callable[[Any], bool]:
    """Accept values of these types, and collections that hold one."""

    def carries(value: Any) -> bool:
        if isinstance(value, types):
            return True
        if isinstance(value, dict):
            value = value.values()
        elif not isinstance(value, (list, tuple)):
            return False
        return any(isinstance(element, types) for element in value)

    return carries


def names(calls: list[Call]) -> list[str]:
    return list(dict.fromkeys(map(str, calls)))


def test_the_way_of_a_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"months": [1.0, 20.0, 3.0, 40.0], "charge": [9.0, 1.0, 8.0, 2.0]})
    fitted = LogisticRegression().fit(frame, [1, 0, 1, 0])
    lockgate.pack(fitted, frame, name="churn", path=tmp_path / "bundle")
    deployment = Deployment(tmp_path / "live")
    pointer = deployment.deploy(tmp_path / "bundle", version="1.0.0")
    (slot,) = pointer.slots
    model = LoadedModel(slot, deployment.bundle(slot.digest))
    body = json.dumps({"row": model.probes[0]}).encode()
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    answers: list[bytes] = []

    async def ask() -> None:
        metrics = MetricsRecorder(bytearray(2 * PAGE), 1)  # type: ignore[arg-type]  # memory of one process
        app = Application(ModelStore([model]), ServeSettings(), metrics)
        app.mount(all_routes(app))
        loop, pool = asyncio.get_running_loop(), ConnectionPool(app, app.settings.limits)
        server = await loop.create_unix_server(pool.make, tmp_path / "server.sock")
        reader, writer = await asyncio.open_unix_connection(tmp_path / "server.sock")
        writer.write(head.encode() + body)
        answers.append(await reader.readuntil(b"}"))
        writer.close()
        server.close()

    carries = of_types(Request, PredictionRequest, Prediction, Response)
    calls = trace(lambda: asyncio.run(ask()), carries)
    assert b"200 OK" in answers[0]
    branches = {"Application.admit", "Application._admit", "Application.count"}
    way = [call for call in calls if call.function not in branches]
    assert names(way) == documented("row")
    assert len(way) <= 8


def in_order(way: list[str], calls: list[Call]) -> bool:
    """Whether the calls of a way come in this order, whatever lies between."""
    remaining = iter(map(str, calls))
    return all(call in remaining for call in way)


def holds_number(value: Any, number: int, depth: int = 0) -> bool:
    """Whether a value is the number, or holds it, as text too."""
    if isinstance(value, str):
        return str(number) in value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bool(value == number)
    if depth > 8:
        return False
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=False)
    elif isinstance(value, (PluginChoice, Parameters, Stage, Boosting)):
        value = vars(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        return False
    parts = value.values() if isinstance(value, Mapping) else value
    if not isinstance(parts, (list, tuple)) and not isinstance(value, Mapping):
        return False
    return any(holds_number(part, number, depth + 1) for part in parts)


def test_the_way_of_a_setting(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", environment()["PATH"])
    overrides = ["model=boosting", "model.boosting.trees=137", "optimizer.grid.points=1"]

    def work() -> None:
        done = CliRunner().invoke(command_line, ["run", "--no-run", *overrides])
        assert done.exit_code == 0, done.output
        run_stage("optimize", project)

    calls = trace(work, lambda value: holds_number(value, 137))
    assert len(documented("setting")) == 8
    assert in_order(documented("setting"), calls), names(calls)


def test_the_way_of_a_table(project: Path) -> None:
    carries = of_types(Table, Splits, pd.DataFrame)
    calls = trace(lambda: run_stage("load", project), carries)
    assert len(documented("table")) == 8
    assert in_order(documented("table"), calls), names(calls)
    assert returns(calls) <= 3


def test_the_way_of_a_judgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    shop = new_repository(tmp_path / "shop")
    (shop / "params.yaml").write_text("gate:\n  alone: {plugin: parity}\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "gates")
    ledger = lockgate.Ledger(shop)
    record = ledger.register(packed(tmp_path / "bundle", columns=2), outside=True)

    def judge() -> None:
        assert ledger.gate(record.name, "prod")[1].passed
        ledger.promote(record.name, "prod")

    carries = of_types(JudgeRequest, GateResult, EvaluatedBundle, GateRecord, Verdict)
    calls = trace(judge, carries)
    assert len(documented("judgement")) == 6
    assert in_order(documented("judgement"), calls), names(calls)
    assert len(packages(calls)) <= 5
