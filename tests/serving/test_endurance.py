"""Requests and events that once took a server down, or made it say what is not so."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lockgate.data.columns.personal import is_personal
from lockgate.deployment.directory import Deployment
from lockgate.errors import DeploymentError
from lockgate.prediction_log.reader import read_predictions
from lockgate.prediction_log.segments import Segment, delete_old_segments, list_segments
from lockgate.prediction_log.trace import trace
from lockgate.serving.settings import LogSettings, ServeSettings
from tests.conftest import Run
from tests.serving.load import Load
from tests.serving.running import Server, serving
from tests.serving.test_generated_requests import alive
from tests.serving.test_guard import HEAD, memory
from tests.serving.test_predictions import ROW
from tests.serving.test_reload import records, scores, spoiled

ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module", params=["normal", "full"])
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    bundles: dict[str, Path],
) -> Iterator[Server]:
    deployment = Deployment(tmp_path_factory.mktemp("endurance") / "live")
    deployment.deploy(bundles["boosting"], version="1.0")
    with serving(deployment.path, "--key", "customer", "--log", request.param) as made:
        yield made
        assert alive(made)


def stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


LONG_KEY = f"sha256:{hashlib.sha256(b'x' * 5000).hexdigest()}"
"""What stands for a key that is too long."""


def test_a_key_of_any_size_is_a_key(server: Server) -> None:
    for key in (10**30, 2**64, -(10**25), 1.5, "x" * 5000):
        said = server.predict(ROW, key=key)
        found = trace(Deployment(server.folder), said["id"])
        assert found is not None
        assert found["key"] == (str(key) if len(str(key)) < 200 else LONG_KEY)
        many = server.ask("POST", "/predict", {"rows": [ROW] * 2500, "keys": [key] * 2500})
        assert many[0] == 200
    assert server.ask("POST", "/predict", {"row": ROW, "key": {"a": 1}})[0] == 400
    text = server.ask("GET", "/metrics")[1].decode()
    assert "\nlockgate_log_lost_total 0.0" in text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/invocations",
            {"dataframe_split": {"columns": [f"c{k}" for k in range(100_000)], "data": []}},
        ),
        (
            "/v2/models/churn/infer",
            {
                "inputs": [
                    {
                        "name": "charge",
                        "datatype": "FP64",
                        "data": [],
                        "shape": [2**63 - 1] * 200_000,
                    }
                ]
            },
        ),
        ("/predict", {"columns": {f"c{k}": [1] for k in range(100_000)}}),
        ("/predict", {"row": {f"c{k}": 1 for k in range(100_000)}}),
        ("/predict", {"rows": [{f"cal{k}": 1 for k in range(400)}] * 1000}),
        ("/predict", {"rows": [ROW] * 2, "keys": [1] * 2_000_000}),
        ("/invocations", {"inputs": [ROW], "params": {"predict_method": ["x"] * 500_000}}),
        ("/v2/models/churn/infer", {"inputs": [], "parameters": {"x": [[]] * 500_000}}),
        ("/v2/models/churn/infer", {"inputs": [{"name": "x"}] * 500_000}),
        ("/feedback", {"labels": [{"key": k, "label": 1} for k in range(300_000)]}),
    ],
    ids=[
        *("split", "axes", "columns", "row", "rows", "keys"),
        *("params", "parameters", "tensors", "labels"),
    ],
)
def test_work_grows_no_faster_than_the_request(server: Server, path: str, body: Any) -> None:
    """Each took minutes once; a worker that is silent for ten seconds is killed."""
    assert server.ask("POST", path, body)[0] in (400, 422)


def test_labels_of_all_rows_of_a_large_request_are_taken_together(server: Server) -> None:
    said = server.ask("POST", "/predict", {"rows": [ROW] * 10_000})[1]
    labels = [{"id": f"{said['id']}.{k}", "label": k % 2} for k in range(10_000)]
    status, said, _ = server.ask("POST", "/feedback", {"labels": labels})
    assert (status, said["taken"], len(said["labels"])) == (200, 10_000, 10_000)


@pytest.mark.parametrize("rows", [3, 2500])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        (
            "plan",
            lambda n: pa.DictionaryArray.from_arrays(
                pa.array([0] * n, pa.int32()), ["x" * 10**6 * 8]
            ),
        ),
        ("customer", lambda n: pa.FixedSizeListArray.from_arrays(pa.nulls(n * 2**15), 2**15)),
        ("calls", lambda n: pa.FixedSizeListArray.from_arrays(pa.nulls(n * 2**15), 2**15)),
        ("customer", lambda n: pa.array([2**62] * n, pa.timestamp("s"))),
        ("plan", lambda n: pa.array([2**31 - 1] * n, pa.date32())),
        ("customer", lambda n: pa.array([{"a": 1}] * n)),
    ],
)
def test_arrow_columns_that_grow_or_make_no_sense_are_refused(
    server: Server, name: str, make: Any, rows: int
) -> None:
    columns: dict[str, Any] = {key: [value] * rows for key, value in ROW.items()}
    columns["calls"] = [2.0] * rows
    columns["customer"] = ["c"] * rows
    columns[name] = make(rows)
    before = memory(server)
    status, said, _ = server.ask("POST", "/predict", stream(pa.table(columns)), content_type=ARROW)
    if name == "plan" and rows == 3 and status == 200:
        assert pa.types.is_dictionary(columns["plan"].type)  # three long texts are no burden
        return
    assert status == 422, said
    assert name in said["error"]
    assert memory(server) - before < 150 << 20


def conversation(server: Server, *pieces: bytes, pause: float = 0.05) -> bytes:
    """Send pieces apart from each other, and read until the server closes."""
    found = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as one:
        for piece in pieces:
            one.sendall(piece)
            time.sleep(pause)
        while piece := one.recv(1 << 16):
            found += piece
    return found


def states(found: bytes) -> list[int]:
    return [int(one) for one in re.findall(rb"HTTP/1.1 (\d+) ", found)]


CLOSE = b"GET /ping HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


def test_a_head_in_two_pieces_with_a_large_body_is_fine(server: Server) -> None:
    body = json.dumps({"rows": [ROW] * 800}).encode()
    whole = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    assert states(conversation(server, whole[:40], whole[40:] + CLOSE)) == [200, 200]


def test_thousands_of_requests_sent_ahead_are_all_answered(server: Server) -> None:
    ping = b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n"
    assert states(conversation(server, ping * 3000 + CLOSE)) == [200] * 3001
    assert states(conversation(server, ping * 2000 + ping[:20], ping[20:] + CLOSE)) == [200] * 2002


def test_an_offer_to_upgrade_is_not_taken_and_not_minded(server: Server) -> None:
    offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    get = b"GET /ping HTTP/1.1\r\nhost: localhost\r\n" + offer + b"\r\n"
    body = json.dumps({"row": ROW}).encode()
    post = HEAD + offer + b"content-length: %d\r\n\r\n" % len(body) + body
    found = conversation(server, get + post + get, post[:200], post[200:] + CLOSE)
    assert states(found) == [200] * 5
    assert found.count(b'"label"') == 2
    found = conversation(server, b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n")
    assert states(found) == [405]


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [
        (b"1.1", b"close, Upgrade", False),
        (b"1.1", b"Upgrade", True),
        (b"1.0", b"Upgrade", False),
        (b"1.0", b"keep-alive, upgrade", True),
    ],
)
def test_an_offer_to_upgrade_keeps_what_else_the_client_asks_for(
    server: Server, version: bytes, connection: bytes, stays: bool
) -> None:
    get = b"GET /ping HTTP/%b\r\nhost: localhost\r\nconnection: %b\r\nupgrade: h2c\r\n\r\n"
    found = conversation(server, get % (version, connection) + (CLOSE if stays else b""))
    assert states(found) == [200] * (1 + stays)


def test_nothing_is_said_to_what_comes_after_the_last_request(server: Server) -> None:
    found = conversation(server, CLOSE + b"GET /ping HTTP/1.1\r\n\r\nrubbish\r\n\r\n")
    assert states(found) == [200]
    assert b"connection: close" in found


def test_a_refused_client_that_waits_for_leave_is_told_at_once(server: Server) -> None:
    for head in (HEAD.replace(b"json", b"jam"), HEAD.replace(b"/predict", b"/nope")):
        asked = head + b"expect: 100-continue\r\ncontent-length: 10\r\n\r\n"
        assert states(conversation(server, asked)) in ([415], [404])


def idle(server: Server) -> bool:
    """Whether the workers compute nothing for a while."""
    before = worker_seconds(server)
    time.sleep(0.4)
    return worker_seconds(server) - before < 0.05


def worker_seconds(server: Server) -> float:
    """Seconds of CPU time that the workers have used."""
    pids = [worker["pid"] for worker in server.status["workers"]]
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")


def test_answers_are_not_piled_up_for_a_client_that_does_not_read(server: Server) -> None:
    before = memory(server)
    ask = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    held = []
    for _ in range(6):
        one = socket.create_connection(("127.0.0.1", server.port), timeout=2)
        one.sendall(ask * 2000)
        held.append(one)
    server.wait(lambda: idle(server))  # it stopped reading
    assert server.predict(ROW)
    assert memory(server) - before < 60 << 20
    seen = b""
    held[0].settimeout(20)
    while seen.count(b"HTTP/1.1 200") < 200:  # and it gets them when it reads
        piece = held[0].recv(1 << 20)
        assert piece
        seen += piece
    for one in held:
        one.close()


def test_many_connections_do_not_end_a_worker(deployed: Deployment, tmp_path: Path) -> None:
    with serving(deployed.path) as server:
        import subprocess

        pid = server.status["workers"][0]["pid"]
        subprocess.run(["prlimit", f"--pid={pid}", "--nofile=80"], check=True)
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(120)]
        server.wait(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= 80)
        for one in held:
            one.close()

        def predicted() -> object:
            with contextlib.suppress(ConnectionError):  # until it has noticed that they are gone
                return server.predict(ROW)
            return None

        server.wait(predicted)
        assert server.status["workers"][0]["pid"] == pid


def test_the_control_socket_takes_rubbish(deployed: Deployment) -> None:
    with serving(deployed.path) as server:
        for raw in (
            b"[1]\n",
            b'"a"\n',
            b"\xff\n",
            b'{"op":"outcome","seq":"x"}\n',
            b"[" * 99_999 + b"\n",
            b"{}\n",
        ):
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(deployed.path / "control.sock"))
                one.sendall(raw)
                one.settimeout(2)
                one.recv(1000)
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(str(deployed.path / "control.sock"))
        silent.settimeout(2)
        with contextlib.suppress(OSError):
            silent.sendall(b'{"op":"status"}\n' * 20_000)  # and does not read
        assert server.status["workers"][0]["serving"]
        silent.close()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"event":' * 100_000, b"\xff\xfe", None])
def test_an_odd_pointer_changes_nothing(deployed: Deployment, content: bytes | None) -> None:
    with serving(deployed.path) as server:
        saved = deployed.pointer_path.read_bytes()
        deployed.pointer_path.unlink()
        if content is None:
            deployed.pointer_path.mkdir()
        else:
            deployed.pointer_path.write_bytes(content)
        server.wait(lambda: server.status["refused"])
        assert server.predict(ROW)["version"] == "1.0.0"
        if content is not None:
            deployed.pointer_path.write_bytes(saved)
            assert server.predict(ROW)["version"] == "1.0.0"


def test_a_rollback_to_what_cannot_be_opened_is_refused_and_loses_nothing(
    tmp_path: Path, bundles: dict[str, Path], call: Run
) -> None:
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(spoiled(bundles["boosting"], tmp_path, "other-answers"), version="0.9")
    deployment.deploy(bundles["logistic"], version="1.0")
    with serving(deployment.path) as server:
        done = call("lockgate", "rollback", "--here", str(deployment.path), cwd=tmp_path, code=2)
        assert "probe" in done.stderr
        assert deployment.pointer().slots[0].version == "1.0"
        assert server.predict(ROW)["version"] == "1.0"


def test_a_rollback_can_be_taken_back_by_name_only(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    deployment = Deployment(tmp_path / "live")
    for version, key in (("1", "logistic"), ("2", "boosting"), ("3", "spend")):
        if key != "spend":
            deployment.deploy(bundles[key], version=version)
    deployment.rollback()
    with pytest.raises(DeploymentError, match="but those rolled back from: 2"):
        deployment.rollback()  # a second hurried one does not bring the bad version back
    assert deployment.rollback(to="2").slots[0].version == "2"
    assert deployment.rollback().slots[0].version == "1"
    assert len(deployment.pointer().slots[0].before) == 1
    with pytest.raises(DeploymentError, match="was another bundle"):
        deployment.deploy(bundles["boosting"], version="1")
    with pytest.raises(DeploymentError, match="cannot have the same name"):
        deployment.deploy(bundles["boosting"], version="prod")
    deployment.pointer_path.unlink()  # lost: events are counted on from the record
    assert deployment.deploy(bundles["boosting"], version="2").seq == 6


def test_a_good_deployment_ends_an_outage(
    tmp_path: Path, deployed: Deployment, bundles: dict[str, Path], call: Run
) -> None:
    import signal

    with serving(deployed.path) as server:
        shutil.rmtree(deployed.bundle(deployed.pointer().slots[0].digest))
        os.kill(server.status["workers"][0]["pid"], signal.SIGKILL)
        server.wait(lambda: not any(one["serving"] for one in server.status["workers"]))
        call(
            "lockgate",
            "deploy",
            str(bundles["boosting"]),
            str(deployed.path),
            "--version",
            "2",
            cwd=tmp_path,
        )
        server.wait(lambda: any(one["serving"] for one in server.status["workers"]))
        assert server.predict(ROW)["version"] == "2"


def test_another_server_starts_soon_after_a_supervisor_is_killed(deployed: Deployment) -> None:
    import signal

    with serving(deployed.path, code=-9) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as slow:
            slow.sendall(HEAD)
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait(10)
            with serving(deployed.path) as again:
                assert again.predict(ROW)


def test_one_bundle_is_not_changed_under_its_server_by_a_second_one(
    bundles: dict[str, Path], tmp_path: Path, call: Run
) -> None:
    import subprocess
    import sys

    from tests.conftest import environment

    mine = tmp_path / "mine"
    shutil.copytree(bundles["logistic"], mine)
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    words = [sys.executable, "-m", "lockgate", "serve", str(mine), "--port", "0"]
    first = subprocess.Popen(words, env=environment(**state), stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while not (found := list((tmp_path / "state").rglob("control.sock"))):
            assert time.monotonic() < until
            time.sleep(0.05)
        folder = found[0].parent
        shutil.rmtree(mine)
        shutil.copytree(bundles["boosting"], mine)
        done = call("lockgate", "serve", str(mine), "--port", "0", cwd=tmp_path, code=2, **state)
        assert "is already served at http" in done.stderr
        assert Deployment(folder).pointer().seq == 1
    finally:
        first.terminate()
        assert first.wait(20) == 0


def test_retention_leaves_what_is_being_written(deployed: Deployment) -> None:
    settings = ServeSettings(log=LogSettings(checkpoint_seconds=0.2))
    with serving(deployed.path, settings=settings) as server:
        first = server.predict(ROW)
        assert server.ask("POST", "/feedback", {"id": first["id"], "label": 1})[0] == 200
        log = deployed.path / "log"
        assert delete_old_segments(log, days=0, megabytes=0, now=time.time() + 1e6) == 0
        for path in log.rglob("*.db"):  # somebody else deletes them
            path.unlink()
        asked = []

        def segments() -> list[Segment]:
            asked.append(server.predict(ROW)["id"])
            return list(list_segments(log))

        server.wait(segments)  # it looks once a second whether its file is still there
        lost = len(asked) - 1
        (segment,) = segments()
        created = segment.path.stat().st_mtime_ns
        # until the write-ahead logs are moved: of this file, and of the deleted one of the labels
        server.wait(lambda: segments()[0].path.stat().st_mtime_ns > created)
        assert server.ask("POST", "/feedback", {"id": asked[-1], "label": 0})[0] == 200
        kept = [one.id for one in read_predictions(log)]
        assert kept == asked[lost:]
        assert all(one.size for one in list_segments(log))


def test_labels_are_classes_of_the_model(deployed: Deployment, call: Run, tmp_path: Path) -> None:
    with serving(deployed.path) as server:
        said = server.predict(ROW)
        for wrong in (10**30, "nonsense", 1.7, 2, True):
            status, told, _ = server.ask("POST", "/feedback", {"id": said["id"], "label": wrong})
            assert status == 422, wrong
            assert "not a class of the model" in told["problems"][0]
        for right in (1, 0.0, 1.0):
            assert server.ask("POST", "/feedback", {"id": said["id"], "label": right})[0] == 200
        assert server.ask("POST", "/feedback", {"key": "labels", "label": 1})[0] == 200
    (tmp_path / "late.csv").write_text("key,label\na,1\nb,7\n")
    done = call(
        "lockgate",
        "log",
        "label",
        "late.csv",
        "--here",
        str(deployed.path),
        "--key",
        "key",
        cwd=tmp_path,
        code=2,
    )
    assert "row 2: label 7 is not a class" in done.stderr
    call("lockgate", "log", "export", str(deployed.path), "out.parquet", cwd=tmp_path)
    assert pq.read_table(tmp_path / "out.parquet")["churned"].to_pylist() == [1]


def test_an_export_has_the_columns_of_all_versions(
    deployed: Deployment, call: Run, tmp_path: Path
) -> None:
    for options in (("--redact", "plan"), ()):
        with serving(deployed.path, *options) as server:
            server.predict(ROW)
    call("lockgate", "log", "export", str(deployed.path), "out.parquet", cwd=tmp_path)
    assert sorted(map(str, pq.read_table(tmp_path / "out.parquet")["plan"].to_pylist())) == [
        "None",
        "plus",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--redact", "plna"), "did you mean 'plan'"),
        (("--redact", "plan", "--key", "plan"), "is both --key"),
        (("--private-key", "key.pem"), "--certificate"),
        (("--certificate", "key.pem"), "not a certificate"),
        (("--host", "10.255.255.1", "--open"), "another --host"),
    ],
)
def test_mistakes_at_the_start_are_named(
    deployed: Deployment, call: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "key.pem").write_text("x")
    done = call(
        "lockgate", "serve", str(deployed.path), "--port", "0", *words, cwd=tmp_path, code=2
    )
    assert said in done.stderr


def test_names_that_point_to_a_person_are_known() -> None:
    for name in (
        "customerEmail",
        "emailAddress",
        "phoneNumber",
        "customer_name",
        "name",
        "dateOfBirth",
        "birthdate",
        "creditCardNumber",
        "telephone",
        "cell_phone",
        "postcode",
        "zip",
        "gps",
        "national_id",
        "taxId",
        "IP",
        "ip_address",
        "e-mail",
    ):
        assert is_personal(name), name
    for name in (
        "charge",
        "months",
        "plan",
        "latency",
        "ship_mode",
        "amount",
        "relation",
        "tax",
        "id",
    ):
        assert not is_personal(name), name


def test_a_proxys_form_of_a_target_and_odd_hosts(server: Server) -> None:
    ask = b"GET http://localhost:80/ping HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    assert states(conversation(server, ask)) == [200]
    for host in ("localhost:@evil.example", "localhost:80:80", "evil.example", "[::1", ""):
        assert server.ask("GET", "/metrics", host=host)[0] == 421, host
    assert (
        server.ask(
            "POST",
            "/predict",
            b"months,charge,calls,plan,abroad\n1,2,3,plus,no\n",
            content_type="Text/CSV",
        )[0]
        == 200
    )
    assert server.ask("POST", "/invocations/churn@1.0", {"instances": [ROW]})[0] == 200


def test_beyond_the_queue_requests_are_told_to_come_again(
    deployed: Deployment, bundles: dict[str, Path]
) -> None:
    given = records(20)
    expected = {"1.0.0": scores(bundles["logistic"], given)}
    with serving(deployed.path, "--queue", "2") as server:

        async def press() -> Any:
            load = Load(server.port, given, expected, clients=60)
            running = asyncio.create_task(load.run())
            until = time.monotonic() + 30
            while min(load.account.shed, load.account.answered["1.0.0"]) <= 50:
                assert time.monotonic() < until, load.account
                await asyncio.sleep(0.02)
            load.stopped = True
            return await running

        account = asyncio.run(press())
        assert not account.failed
        assert not account.mixed
        body = json.dumps({"row": ROW}).encode()
        good = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
        assert states(conversation(server, good + CLOSE)) == [200, 200]
