"""Real servers for tests: started as a user starts them, asked over sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from lockgate.deployment.control.client import ask
from lockgate.errors import ServingError
from lockgate.serving.settings import ServeSettings
from tests.conftest import environment

WITH_SETTINGS = """
import sys
from pathlib import Path
import msgspec
from lockgate.serving.server import serve
from lockgate.serving.settings import ServeSettings
sys.exit(serve(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=ServeSettings)))
"""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a new private key and its certificate for localhost."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


class Server:
    """A running `lockgate serve`."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.folder, self.process, self.log = folder, process, log
        self.token = ""

    @property
    def status(self) -> dict[str, Any]:
        return ask(self.folder, "status")

    @property
    def port(self) -> int:
        return int(self.status["address"].rpartition(":")[2])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Send one request; JSON is decoded."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named.setdefault("authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            named.setdefault("content-type", "application/json")
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            raw = reply.read()
            kind = reply.getheader("content-type", "")
            said = {name.lower(): value for name, value in reply.getheaders()}
        return reply.status, json.loads(raw) if kind.startswith("application/json") else raw, said

    def predict(self, row: Any, **body: Any) -> dict[str, Any]:
        status, said, _ = self.ask("POST", "/predict", {"row": row, **body})
        assert status == 200, said
        return dict(said)

    def records(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait(self, what: Any, seconds: float = 20.0) -> Any:
        """Wait until something is true of the server; fail after a generous time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := what():
                return found
            time.sleep(0.02)
        raise AssertionError(f"not in {seconds} s; log:\n{self.log.read_text()}")


@contextlib.contextmanager
def serving(
    folder: Path,
    *options: str,
    settings: ServeSettings | None = None,
    code: int = 0,
    **env: str,
) -> Iterator[Server]:
    """Serve a deployment directory until the block ends.

    With options of the command, or with settings, which have more than the command has.
    """
    if settings is None:
        words = ["-m", "lockgate", "serve", str(folder), "--port", "0", *options]
    else:
        assert not options
        text = msgspec.json.encode(msgspec.structs.replace(settings, port=0)).decode()
        words = ["-c", WITH_SETTINGS, str(folder), text]
    log = folder.parent / f"{folder.name}.{os.urandom(3).hex()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *words],
            stderr=file,
            stdout=subprocess.DEVNULL,
            env=environment(**env),
        )
    server = Server(folder, process, log)

    def up() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return any(one["serving"] for one in server.status["workers"])
        except ServingError:
            return False

    try:
        server.wait(up, 60)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            found = process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert found == code, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value)
