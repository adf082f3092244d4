"""Who may ask what, and what is refused before it costs anything."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.errors import ServingError, UsageError
from lockgate.serving.http.tokens import ROLES, Tokens, add_token
from lockgate.serving.settings import Limits, ServeSettings
from tests.conftest import Run
from tests.serving.running import Server, make_certificate, serving
from tests.serving.test_predictions import ROW

SLOW = 500 if os.environ.get("LOCKGATE_SOAK") else 60
HUGE = 500 << 20 if os.environ.get("LOCKGATE_SOAK") else 40 << 20


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, bundles: dict[str, Path]
) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with a token for each role."""
    folder = tmp_path_factory.mktemp("guarded")
    deployment = Deployment(folder / "live")
    deployment.deploy(bundles["logistic"], version="1")
    tokens = {role: add_token(folder / "tokens", f"the-{role}", (role,)) for role in ROLES}
    with serving(deployment.path, "--tokens", str(folder / "tokens")) as server:
        yield server, tokens


def routes(server: Server, token: str) -> list[tuple[str, str, str]]:
    server.token = token
    _, document, _ = server.ask("GET", "/openapi.json")
    server.token = ""
    found = []
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            role = re.search(r"role (\w+)", about.get("description", ""))
            path_ = re.sub(r"\{model\}", "churn", path).replace("{version}", "1")
            found.append((method.upper(), path_, role[1] if role else ""))
    return found


def test_every_route_asks_for_its_role_and_no_other_will_do(
    guarded: tuple[Server, dict[str, str]],
) -> None:
    server, tokens = guarded
    found = routes(server, tokens["admin"])
    assert len(found) >= 18
    assert {path for _, path, role in found if not role} == {
        "/v2/health/live",
        "/v2/health/ready",
        "/ping",
        "/health",
    }
    for method, path, role in [
        *found,
        ("GET", "/nothing/there", "none"),
        ("PUT", "/predict", "none"),
    ]:
        body = {"row": ROW} if method == "POST" else None
        if not role:
            assert server.ask(method, path, body)[0] == 200
            continue
        for wrong in (
            "",
            "Bearer ",
            "Bearer x",
            "Basic " + tokens["admin"],
            tokens["admin"],
            "Bearer " + tokens["admin"][:-1],
            "Bearer " + tokens["admin"] + "a",
        ):
            status, said, head = server.ask(method, path, body, authorization=wrong)
            assert status == 401, (method, path, wrong)
            assert head["www-authenticate"] == "Bearer"
            assert "label" not in said
        for other in ROLES[:-1]:
            status = server.ask(method, path, body, authorization=f"Bearer {tokens[other]}")[0]
            if role == "none":
                assert status in (404, 405)
            else:
                assert (status == 403) == (other != role), (method, path, other)
        assert server.ask(method, path, body, authorization=f"bearer {tokens['admin']}")[0] != 403


def test_tokens_come_and_go_without_a_restart(
    tmp_path: Path, deployed: Deployment, call: Run
) -> None:
    file = tmp_path / "tokens"
    first = call(
        "lockgate", "server", "token", "shop", "--file", str(file), cwd=tmp_path
    ).stdout.strip()
    assert first not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    with serving(deployed.path, "--tokens", str(file)) as server:
        server.token = first
        assert server.predict(ROW)["version"] == "1.0.0"
        second = call(
            "lockgate", "server", "token", "till", "--file", str(file), cwd=tmp_path
        ).stdout.strip()

        def known(token: str) -> bool:
            server.token = token
            return server.ask("POST", "/predict", {"row": ROW})[0] == 200

        server.wait(lambda: known(second))
        lines = file.read_text()
        file.write_text(lines.splitlines()[0] + "\nrubbish\n")  # the first stays, a mistake is said
        server.wait(lambda: not known(second))
        assert known(first)
        assert any("line 2" in one["message"] for one in server.records())
        file.write_text("")  # nobody is left
        server.wait(lambda: not known(first))
        file.write_text(lines.strip())
        server.wait(lambda: known(second))
        third = add_token(file, "van", ("predict",))  # behind a line without an end
        server.wait(lambda: known(third))
        file.unlink()
        server.wait(lambda: not known(third))
        file.write_text(lines)
        server.wait(lambda: known(first))
        add_token(tmp_path / "other", "till", ("predict",))
        file.write_text((tmp_path / "other").read_text())
        server.wait(lambda: not known(first))


def test_token_files_that_make_no_sense_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    with pytest.raises(ServingError, match="cannot be read"):
        Tokens(path)
    path.write_text("# none\n\n")
    with pytest.raises(ServingError, match="holds no token"):
        Tokens(path)
    path.write_text("shop predict,emperor " + "0" * 64)
    with pytest.raises(ServingError, match="line 1"):
        Tokens(path)
    with pytest.raises(UsageError, match="no role emperor"):
        add_token(path, "shop", ("emperor",))
    with pytest.raises(UsageError, match="not a valid name"):
        add_token(tmp_path / "new", "a b", ("predict",))


def test_only_this_machine_may_ask_unless_said_otherwise(
    deployed: Deployment, tmp_path: Path, call: Run
) -> None:
    done = call("lockgate", "serve", str(deployed.path), "--host", "0.0.0.0", cwd=tmp_path, code=2)
    assert "--tokens" in done.stderr
    with serving(deployed.path) as server:  # a page of another site that points here
        for host, status in (("evil.example", 421), ("localhost", 200), ("127.0.0.1:1", 200)):
            assert server.ask("POST", "/predict", {"row": ROW}, host=host)[0] == status, host
        plain = server.ask("POST", "/predict", {"row": ROW}, content_type="text/plain")
        assert plain[0] == 415  # what a form of another site could send without asking


def test_tls(tmp_path: Path, deployed: Deployment) -> None:
    key, certificate = make_certificate(tmp_path)
    options = ("--certificate", str(certificate), "--private-key", str(key))
    with serving(deployed.path, *options) as server:
        import http.client

        trusting = ssl.create_default_context(cafile=str(certificate))
        connection = http.client.HTTPSConnection(
            "localhost", server.port, context=trusting, timeout=20
        )
        for _ in range(3):
            connection.request(
                "POST", "/predict", json.dumps({"row": ROW}), {"content-type": "application/json"}
            )
            assert json.loads(connection.getresponse().read())["version"] == "1.0.0"
        connection.close()
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            plain.sendall(b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert b"200 OK" not in plain.recv(1000)
        assert server.status["address"].startswith("https://")


@pytest.fixture
def small(deployed: Deployment) -> Iterator[Server]:
    """A server with the smallest limits that it can be told."""
    with serving(deployed.path, "--body", "1", "--rows", "50") as server:
        yield server


def raw(server: Server, data: bytes, *, patience: float = 20.0) -> bytes:
    """Send bytes and read until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=patience) as one:
        with contextlib.suppress(OSError):
            one.sendall(data)
        found = b""
        try:
            while piece := one.recv(65536):
                found += piece
                if b"\r\n\r\n" in found and b"connection: close" not in found.lower():
                    break
        except TimeoutError:
            pass
        except ConnectionResetError:
            pass
        return found


HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n", 414),
        (HEAD + b"content-length: 5000000\r\n\r\n", 413),
        (HEAD + b"content-length: 99999999999999999999\r\n\r\n", 400),
        (HEAD + b"content-length: -1\r\n\r\n", 400),
        (HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}", 400),
        (HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}", 415),
        (HEAD + b"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : localhost\r\n\r\n", 400),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n", 404),
        (b"GET /predict HTTP/1.1\r\nhost: localhost\r\n\r\n", 405),
        (b"DELETE / HTTP/1.1\r\nhost: localhost\r\n\r\n", 405),
        (HEAD + b"content-length: 0\r\n\r\n", 400),
    ],
)
def test_what_is_no_decent_request_is_refused(small: Server, data: bytes, status: int) -> None:
    found = raw(small, data)
    assert found.startswith(f"HTTP/1.1 {status} ".encode()), found[:200]
    body = json.loads(found.partition(b"\r\n\r\n")[2])
    assert body["status"] == status
    assert body["id"]
    assert small.predict(ROW)["version"] == "1.0.0"


def test_requests_sent_ahead_are_answered_in_order(small: Server) -> None:
    body = json.dumps({"row": ROW}).encode()
    good = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    ping = b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n"
    bad = b"GET /none HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", small.port), timeout=20) as one:
        one.sendall((good + ping) * 30 + bad)
        found = b""
        while piece := one.recv(65536):
            found += piece
    states = re.findall(rb"HTTP/1.1 (\d+) ", found)
    assert states == [b"200", b"200"] * 30 + [b"404"]
    kinds = re.findall(rb'"label"|"ready"', found)
    assert kinds == [b'"label"', b'"ready"'] * 30


def test_a_chunked_body_is_read_and_one_without_end_is_not(small: Server) -> None:
    body = json.dumps({"row": ROW}).encode()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[k : k + 9]), body[k : k + 9]) for k in range(0, len(body), 9)
    )
    found = raw(small, HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert b'"label"' in found
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    found = raw(small, HEAD + b"transfer-encoding: chunked\r\n\r\n" + piece * 40)
    assert found.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_waits_for_leave_gets_it(small: Server) -> None:
    body = json.dumps({"row": ROW}).encode()
    with socket.create_connection(("127.0.0.1", small.port), timeout=20) as one:
        one.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body))
        assert one.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        one.sendall(body)
        assert b'"label"' in one.recv(10_000)
    with socket.create_connection(("127.0.0.1", small.port), timeout=20) as one:
        one.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 9000000\r\n\r\n")
        assert one.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_huge_body_costs_no_memory(small: Server) -> None:
    before = memory(small)
    with socket.create_connection(("127.0.0.1", small.port), timeout=20) as one:
        one.sendall(HEAD + b"content-length: %d\r\n\r\n" % HUGE)
        sent = 0
        try:
            while sent < HUGE:
                one.sendall(b" " * (1 << 20))
                sent += 1 << 20
        except OSError:
            pass
    assert sent < HUGE
    assert memory(small) - before < 30 << 20
    assert small.predict(ROW)


def test_slow_clients_keep_nobody_waiting_and_are_sent_away(deployed: Deployment) -> None:
    settings = ServeSettings(limits=Limits(head_seconds=1, body_seconds=3600))
    starts = HEAD[:5], HEAD, HEAD + b"content-length: 9\r\n\r\n{"
    with serving(deployed.path, settings=settings) as server, contextlib.ExitStack() as stack:
        address = "127.0.0.1", server.port
        slow = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(SLOW)]
        for k, client in enumerate(slow):
            client.sendall(starts[k % 3])
        for _ in range(20):
            assert server.predict(ROW)
        for k, client in enumerate(slow):
            if k % 3 != 2:
                assert client.recv(100).startswith(b"HTTP/1.1 408 ")
        for client in slow[2::3]:  # their heads came in time, and their bodies have an hour
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(100)
        assert server.predict(ROW)


def test_a_body_that_does_not_arrive_in_time_is_refused(deployed: Deployment) -> None:
    settings = ServeSettings(limits=Limits(head_seconds=3600, body_seconds=0.3))
    with serving(deployed.path, settings=settings) as server:
        assert raw(server, HEAD + b"content-length: 9\r\n\r\n{").startswith(b"HTTP/1.1 408 ")


def test_a_client_that_never_reads_is_not_written_to_for_ever(small: Server) -> None:
    before = memory(small)
    rows = {"rows": [ROW] * 50}
    body = json.dumps(rows).encode()
    good = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    with socket.create_connection(("127.0.0.1", small.port), timeout=0.5) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            for _ in range(20_000):
                one.sendall(good)
        except OSError:  # the server stopped reading: the send timed out
            pass
        assert small.predict(ROW)
        assert memory(small) - before < 30 << 20


def memory(server: Server) -> int:
    total = 0
    for one in server.status["workers"]:
        text = Path(f"/proc/{one['pid']}/status").read_text()
        total += int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) * 1024
    return total
