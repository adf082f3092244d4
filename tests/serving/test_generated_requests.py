"""Generated requests: from the OpenAPI document, and by mutation of valid ones."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lockgate.deployment.directory import Deployment
from tests.serving.conftest import rows
from tests.serving.load import read_reply
from tests.serving.running import Server, serving
from tests.serving.test_predictions import ROW

PROOF = bool(os.environ.get("LOCKGATE_SOAK"))
EXAMPLES = 2000 if PROOF else 12
MUTATIONS = 1_000_000 if PROOF else 6000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bundles: dict[str, Path]) -> Iterator[Server]:
    deployment = Deployment(tmp_path_factory.mktemp("strangers") / "live")
    deployment.deploy(bundles["boosting"], version="1.0")
    with serving(deployment.path, "--log-inputs", "all", "--key", "customer") as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(7200 if PROOF else 300)
def test_schemathesis_finds_no_server_error(server: Server, tmp_path: Path) -> None:
    checks = "not_a_server_error,status_code_conformance,content_type_conformance"
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"http://127.0.0.1:{server.port}/openapi.json",
            "--checks",
            checks,
            "--max-examples",
            str(EXAMPLES),
            "--seed",
            "7",
            "--phases",
            "examples,coverage,fuzzing",
            "--exclude-operation-id",
            "post_feedback",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert alive(server)


def alive(server: Server) -> bool:
    """Whether it answers, and never restarted a worker or failed."""
    text = server.ask("GET", "/metrics")[1].decode()
    assert "lockgate_restarts_total 0.0" in text
    assert not re.search(r'status="5(?!03)', text), text
    return bool(server.predict(ROW)["version"] == "1.0")


def originals() -> list[tuple[str, str, bytes]]:
    """Good requests of every form: path, content type, body."""
    frame = rows(3, seed=2)
    frame["calls"] = frame["calls"].fillna(2.0)
    records = frame.to_dict("records")
    js = "application/json"
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    tensors = [
        {
            "name": name,
            "shape": [3, 1],
            "datatype": "BYTES" if isinstance(records[0][name], str) else "FP64",
            "data": frame[name].tolist(),
        }
        for name in frame
    ]
    raws = [frame[name].to_numpy(dtype=float).tobytes() for name in ("months", "charge", "calls")]
    raws += [
        b"".join(len(v).to_bytes(4, "little") + v.encode() for v in frame[n])
        for n in ("plan", "abroad")
    ]
    binary = [
        {k: v for k, v in one.items() if k != "data"}
        | {"parameters": {"binary_data_size": len(raw)}}
        for one, raw in zip(tensors, raws, strict=True)
    ]
    head = json.dumps({"inputs": binary, "parameters": {"binary_data_output": True}}).encode()
    split = {"columns": list(frame), "data": frame.astype(object).to_numpy().tolist()}
    made: list[tuple[str, str, Any]] = [
        ("/predict", js, {"row": ROW, "key": 5}),
        ("/predict", js, {"rows": [*records, list(records[0].values())], "partial": True}),
        ("/predict/churn", js, {"columns": frame.to_dict("list"), "keys": [1, 2, 3]}),
        ("/predict", "text/csv", frame.to_csv(index=False).encode()),
        ("/predict", "application/vnd.apache.arrow.stream", sink.getvalue()),
        (
            "/v2/models/churn/infer",
            js,
            {"inputs": tensors, "id": "a", "outputs": [{"name": "score"}]},
        ),
        (
            "/v2/models/churn/versions/1.0/infer",
            f"{js}\r\ninference-header-content-length: {len(head)}",
            head + b"".join(raws),
        ),
        ("/invocations", js, {"dataframe_split": split}),
        ("/invocations", js, {"instances": records, "params": {"predict_method": "predict_proba"}}),
        ("/feedback", js, {"labels": [{"key": 4, "label": 1}]}),
    ]
    return [(p, k, b if isinstance(b, bytes) else json.dumps(b).encode()) for p, k, b in made]


WORDS = [
    b"null",
    b"NaN",
    b"Infinity",
    b"1e400",
    b"-1",
    b"[]",
    b"{}",
    b'""',
    b"[[",
    b"9" * 400,
    b"\\ud800",
    b"\xff",
    b"\x00",
    b"true",
    b'"a"',
    b":",
    b",",
    b'{"row":',
    b"1e308",
    b"[" * 200,
    b'"\\u0000"',
]


def mutated(body: bytes, luck: random.Random) -> bytes:
    made = bytearray(body)
    for _ in range(luck.choice([1, 1, 1, 2, 4])):
        at = luck.randrange(len(made) + 1)
        way = luck.randrange(5)
        if way == 0 and made:
            made[at % len(made)] ^= 1 << luck.randrange(8)
        elif way == 1:
            made[at : at + luck.randrange(1, 12)] = b""
        elif way == 2:
            made[at:at] = luck.choice(WORDS)
        elif way == 3:
            end = at + luck.randrange(1, 40)
            made[at:at] = made[at:end]
        else:
            found = list(re.finditer(rb'-?\d+(\.\d+)?|"[^"]*"', bytes(made)))
            if found:
                one = luck.choice(found)
                made[one.start() : one.end()] = luck.choice(WORDS)
    return bytes(made)


@pytest.mark.slow
@pytest.mark.timeout(7200 if PROOF else 300)
def test_no_mutation_of_a_good_request_is_answered_with_a_failure(server: Server) -> None:
    luck = random.Random(23)
    given = originals()
    states: Counter[int] = Counter()

    async def client(count: int) -> None:
        stream: Any = None
        for _ in range(count):
            path, kind, body = luck.choice(given)
            raw = mutated(body, luck) if luck.random() < 0.97 else body
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n"
            if stream is None:
                stream = await asyncio.open_connection("127.0.0.1", server.port)
            stream[1].write(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw)
            status, said, stays = await asyncio.wait_for(read_reply(stream[0]), 60)
            states[status] += 1
            assert status in (200, 400, 404, 413, 415, 422), (status, said, raw)
            assert said, (status, raw)
            if not stays:
                stream[1].close()
                stream = None
        if stream is not None:
            stream[1].close()
            await stream[1].wait_closed()

    async def all_clients() -> None:
        await asyncio.gather(*(client(MUTATIONS // 8) for _ in range(8)))

    asyncio.run(all_clients())
    assert states[200] > MUTATIONS / 50, states
    assert states[422] > MUTATIONS / 50, states
    assert alive(server)
