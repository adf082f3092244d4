"""The ways of a row, a setting, a table and a judgement, as docs/architecture.md lists them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.linear_model import LogisticRegression

import lockgate
from lockgate.deployment.directory import Deployment
from lockgate.serving.application import Application
from lockgate.serving.endpoints import all_routes
from lockgate.serving.http.connection_pool import Connections
from lockgate.serving.http.messages import Request, Response
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.prediction.requests import Prediction, PredictionRequest
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import PAGE, MetricsRecorder
from tests.conftest import ROOT
from tests.docs.tracing import Call, trace

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
        loop, pool = asyncio.get_running_loop(), Connections(app, app.settings.limits)
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
