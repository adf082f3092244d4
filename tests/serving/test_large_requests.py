"""Large bodies are answered in a thread, as small ones are, and others go on meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.deployment.directory import Deployment
from lockgate.prediction_log.trace import trace
from lockgate.serving.application import LARGE_BODY
from tests.serving.conftest import rows
from tests.serving.running import Server, serving


@pytest.fixture(scope="module")
def table() -> list[dict[str, Any]]:
    frame = rows(9000, seed=4).astype(object)
    return list(frame.where(frame.notna(), None).to_dict("records"))


@pytest.fixture
def server(deployed: Any) -> Iterator[Server]:
    with serving(deployed.path, "--log-inputs", "all") as running:
        yield running


def test_a_large_request_is_answered_as_small_ones_are(
    server: Server, table: list[dict[str, Any]], bundles: dict[str, Path]
) -> None:
    body = {"rows": table}
    assert len(json.dumps(body)) > LARGE_BODY
    status, answer, _ = server.ask("POST", "/predict", body)
    assert status == 200
    small = server.ask("POST", "/predict", {"rows": table[-3:]})[1]
    assert answer["scores"][-3:] == small["scores"]
    assert answer["filled"]["gaps"]["calls"] == sum(row["calls"] is None for row in table)
    record = trace(Deployment(server.folder), f"{answer['id']}.8999")
    assert record is not None
    assert record["inputs"] == table[-1]
    assert record["score"] == answer["scores"][-1]
    assert small["id"] != answer["id"]
    expected = lockgate.open(bundles["logistic"]).predict_one(table[-1])
    assert answer["scores"][-1] == expected.score


def test_what_is_answered_before_and_during_a_large_request_is_traced(
    server: Server, table: list[dict[str, Any]]
) -> None:
    """The first of a worker, so that a file of the log begins with the smallest number."""
    answers: list[dict[str, Any]] = []

    def send() -> None:
        answers.append(server.ask("POST", "/predict", {"rows": table})[1])

    thread = threading.Thread(target=send)
    thread.start()
    while thread.is_alive():
        answers.append(server.predict(table[0]))
    thread.join()
    identifiers = [answer["id"] for answer in answers]
    assert len(set(identifiers)) == len(identifiers)
    for identifier in identifiers:
        assert trace(Deployment(server.folder), f"{identifier}.0") is not None, identifier


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"rows": [' + b" " * LARGE_BODY, 400, "cannot be decoded"),
        (json.dumps({"rows": [{}] * 40, "pad": "x" * LARGE_BODY}).encode(), 400, "pad"),
        (json.dumps({"rows": [["x" * LARGE_BODY]]}).encode(), 422, "expected 5"),
        (json.dumps({"row": {"plan": "x" * LARGE_BODY}}).encode(), 422, "inputs"),
    ],
)
def test_a_large_request_that_is_refused_says_why(
    server: Server, body: bytes, status: int, message: str
) -> None:
    answered, answer, _ = server.ask("POST", "/predict", body)
    assert answered == status
    assert message in answer["error"]
    assert answer["id"]


def test_others_are_answered_while_large_requests_wait(
    server: Server, table: list[dict[str, Any]]
) -> None:
    answered: list[int] = []

    def send() -> None:
        answered.append(server.ask("POST", "/predict", {"rows": table})[0])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert server.predict(table[0])["label"] is not None
    assert set(answered) <= {200, 503}  # at most four wait
    assert answered.count(200) >= 4
