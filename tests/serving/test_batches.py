"""Requests that arrive in one turn of the loop are predicted together, and answered apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lockgate.deployment.directory import Deployment
from lockgate.prediction_log.ids import PredictionIds
from lockgate.serving.http.messages import Request, Response
from lockgate.serving.prediction.batcher import Batcher
from lockgate.serving.prediction.model_store import LoadedModel
from lockgate.serving.prediction.requests import PredictionRequest
from lockgate.serving.protocols.native.predict import write_rows_response
from lockgate.serving.telemetry.metrics import PAGE, MetricsRecorder
from tests.serving.conftest import rows


class Faulty(dict[str, Any]):
    """Columns that cannot be read."""

    def keys(self) -> Any:
        raise OSError("gone")


@pytest.fixture
def model(tmp_path: Path, bundles: dict[str, Path]) -> LoadedModel:
    deployment = Deployment(tmp_path / "live")
    (slot,) = deployment.deploy(bundles["boosting"]).slots
    return LoadedModel(slot, deployment.bundle(slot.digest))


def records(count: int, seed: int) -> list[dict[str, Any]]:
    table = rows(count, seed).astype(object)
    return [dict(row) for row in table.where(table.notna(), None).to_dict("records")]


def answers(model: LoadedModel, sources: list[Any], counts: list[int]) -> list[Response]:
    """Submit the sources in one turn and return the responses."""
    sent: dict[int, Response] = {}

    async def submit() -> None:
        metrics = MetricsRecorder(bytearray(2 * PAGE), 1)  # type: ignore[arg-type]  # memory of one process
        batcher = Batcher(None, PredictionIds(), metrics, queue=10)
        for k, (source, count) in enumerate(zip(sources, counts, strict=True)):
            send = partial(sent.__setitem__, k)
            request = Request("POST", "/predict", b"", {})
            batcher.submit(
                PredictionRequest(request, send, model, source, count, write_rows_response)
            )
        while len(sent) < len(sources):
            await asyncio.sleep(0.001)

    asyncio.run(submit())
    return [sent[k] for k in range(len(sources))]


def scores(responses: list[Response]) -> Iterator[Any]:
    for response in responses:
        yield msgspec.json.decode(response.body).get("scores", response.status)


def test_each_gets_what_it_gets_alone(model: LoadedModel) -> None:
    first, second = records(40, 1), records(1500, 2)
    invalid = [*records(3, 3), {**records(1, 4)[0], "charge": "x"}]
    columns = {name: [row[name] for row in first] for name in model.names}
    sources = [first, second, invalid, columns, records(2, 5), second]
    counts = [40, 1500, 4, 40, 2, 1500]
    together = list(scores(answers(model, sources, counts)))
    alone = [
        next(scores(answers(model, [source], [count])))
        for source, count in zip(sources, counts, strict=True)
    ]
    assert together == alone
    assert alone[2] == 422
    assert np.array_equal(alone[0], model.predictor.predict(first).score)


def test_a_fault_costs_only_the_request_that_has_it(model: LoadedModel) -> None:
    first = records(40, 1)
    statuses = [r.status for r in answers(model, [first, Faulty(a=[1]), first], [40, 1, 40])]
    assert statuses == [200, 500, 200]
