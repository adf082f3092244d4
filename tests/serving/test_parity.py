"""Online and offline answers are the same to the bit, whatever the row, the form and the batch."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.deployment.directory import Deployment
from tests.conftest import Run
from tests.serving.load import message, read_reply
from tests.serving.running import Server, serving

ROWS = 10_000 if os.environ.get("LOCKGATE_SOAK") else 400
COLUMNS = ("months", "charge", "calls", "plan", "abroad")


def odd_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of which many hold what nobody promised."""
    rng = np.random.default_rng(seed)
    numbers = [
        0,
        1,
        -1,
        3,
        2.5,
        -0.0,
        1e-320,
        1e308,
        -1e308,
        2**53,
        2**53 + 1,
        2**64,
        10**25,
        10**400,
        None,
        True,
        False,
        "3",
        "",
        "x",
        [1],
        {"a": 1},
        0.1,
        71.99999999999999,
    ]
    words = [
        "basic",
        "plus",
        "family",
        "no",
        "yes",
        "Basic",
        " yes",
        "nein",
        "",
        None,
        1,
        1.0,
        True,
        "é",
        ["no"],
    ]
    made = []
    for _ in range(count):
        row = {
            "months": int(rng.integers(0, 72)),
            "charge": float(rng.gamma(3, 20)),
            "calls": float(rng.poisson(3)),
            "plan": str(rng.choice(["basic", "family", "plus"])),
            "abroad": str(rng.choice(["no", "yes"])),
        }
        for name in COLUMNS:
            if rng.random() < 0.25:
                pool: list[Any] = numbers if name in COLUMNS[:3] else words
                row[name] = pool[rng.integers(len(pool))]
        if rng.random() < 0.05:
            del row[COLUMNS[rng.integers(5)]]
        if rng.random() < 0.1:
            row["extra"] = "nobody asked"
        made.append(row)
    return made


@pytest.fixture(scope="module", params=["boosting", "three", "spend"])
def case(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    bundles: dict[str, Path],
    call: Run,
) -> Iterator[tuple[Server, list[Any], dict[int, Any]]]:
    """A server, odd rows, and what `lockgate predict` says of them."""
    folder = tmp_path_factory.mktemp("parity")
    given = odd_rows(ROWS, seed=11)
    (folder / "in.ndjson").write_text("".join(json.dumps(row) + "\n" for row in given))
    call(
        "lockgate",
        "predict",
        str(bundles[request.param]),
        "in.ndjson",
        "out.ndjson",
        cwd=folder,
        code=1,
    )
    answers = [json.loads(line) for line in (folder / "out.ndjson").read_text().splitlines()]
    offline: dict[int, Any] = {
        one["row"]: (
            one.get("label", one.get("value")),
            [v for k, v in one.items() if k.startswith("score")],
        )
        for one in answers
    }
    deployment = Deployment(folder / "live")
    deployment.deploy(bundles[request.param])
    with serving(deployment.path) as server:
        yield server, given, offline


def flat(score: Any) -> list[float]:
    return [] if score is None else score if isinstance(score, list) else [score]


def test_one_row_alone_and_in_batches(case: tuple[Server, list[Any], dict[int, Any]]) -> None:
    server, given, offline = case

    async def client(places: list[int], found: dict[int, Any]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for place in places:
            writer.write(message("/predict", {"row": given[place]}))
            status, body, _ = await read_reply(reader)
            assert status in (200, 422), body
            if status == 200:
                said = json.loads(body)
                label = said["value"] if "value" in said else said["label"]
                found[place] = (label, flat(said.get("score")))
        writer.close()

    async def ask(clients: int) -> dict[int, Any]:
        found: dict[int, Any] = {}
        places = list(range(len(given)))
        await asyncio.gather(*(client(places[k::clients], found) for k in range(clients)))
        return found

    for clients in (1, 48):
        assert asyncio.run(ask(clients)) == offline


def test_many_rows_at_once(case: tuple[Server, list[Any], dict[int, Any]]) -> None:
    server, given, offline = case
    for count in (3, 100, ROWS):
        found: dict[int, Any] = {}
        for at in range(0, len(given), count):
            part = given[at : at + count]
            status, said, _ = server.ask("POST", "/predict", {"rows": part, "partial": True})
            assert status == 200, said
            labels = said["values"] if "values" in said else said["labels"]
            scores = said.get("scores") or [None] * len(part)
            refused = {int(row) for row in said.get("refused", {})}
            for k in range(len(part)):
                if k not in refused:
                    found[at + k] = (labels[k], flat(scores[k]))
        assert found == offline


def test_many_rows_of_several_clients_in_every_form(
    case: tuple[Server, list[Any], dict[int, Any]],
) -> None:
    server, given, offline = case

    async def client(start: int, found: dict[int, Any]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for number, at in enumerate(range(start, len(given), 64)):
            part = given[at : at + 8]
            body: dict[str, Any] = {"rows": part, "partial": True}
            if number % 3 and all(set(COLUMNS) <= set(row) for row in part):
                if number % 3 == 1:
                    body["rows"] = [[row[name] for name in COLUMNS] for row in part]
                else:
                    del body["rows"]
                    body["columns"] = {name: [row[name] for row in part] for name in COLUMNS}
            writer.write(message("/predict", body))
            status, reply, _ = await read_reply(reader)
            assert status == 200, reply
            said = json.loads(reply)
            labels = said["values"] if "values" in said else said["labels"]
            scores = said.get("scores") or [None] * len(part)
            for k in range(len(part)):
                if str(k) not in said.get("refused", {}):
                    found[at + k] = (labels[k], flat(scores[k]))
        writer.close()

    async def ask() -> dict[int, Any]:
        found: dict[int, Any] = {}
        await asyncio.gather(*(client(8 * k, found) for k in range(8)))
        return found

    assert asyncio.run(ask()) == offline


def test_other_protocols(case: tuple[Server, list[Any], dict[int, Any]]) -> None:
    """Rows that each protocol can carry get the same; of the others all are refused offline too."""
    server, given, offline = case
    name = server.status["served"][0]["model"]
    for place, row in enumerate(given[:ROWS]):
        status, said, _ = server.ask("POST", "/invocations", {"dataframe_records": [row]})
        assert status in (200, 422)
        assert (
            (said["predictions"][0] == offline[place][0]) if status == 200 else place not in offline
        )
        tensors = [tensor(column, row[column]) for column in COLUMNS if column in row]
        if len(tensors) < 5 or None in tensors:
            continue
        status, said, _ = server.ask("POST", f"/v2/models/{name}/infer", {"inputs": tensors})
        if status == 200:
            by = {one["name"]: one["data"] for one in said["outputs"]}
            assert (by.get("label") or by["value"])[0] == offline[place][0]
            assert by.get("score", []) == offline[place][1]
        else:
            assert place not in offline, said


def tensor(name: str, value: Any) -> dict[str, Any] | None:
    kind = "BYTES" if isinstance(value, str) or (value is None and name in COLUMNS[3:]) else "FP64"
    if isinstance(value, (bool, list, dict)) or (isinstance(value, int) and abs(value) > 2**53):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return {"name": name, "shape": [1], "datatype": kind, "data": [value]}
