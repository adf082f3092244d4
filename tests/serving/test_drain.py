"""A server that stops answers whoever reached it, and resets nobody."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections import Counter
from pathlib import Path

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.serving.workers.refuse import refuse_connections
from tests.serving.load import message, read_reply
from tests.serving.running import Server, make_certificate, serving
from tests.serving.test_predictions import ROW

CLIENTS = 24


async def ask_until_refused(
    server: Server, port: int, *, stay: bool, outcomes: Counter[str]
) -> None:
    """Send requests, each over a connection of its own or over one that stays."""
    stream = None
    while True:
        try:
            if stream is None:
                stream = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return  # nobody listens any more
        reader, writer = stream
        try:
            writer.write(message("/predict", {"row": ROW}))
            status, _, stays = await asyncio.wait_for(read_reply(reader), 20)
            outcomes[str(status)] += 1
        except ConnectionResetError:
            outcomes["reset"] += 1
            stays = False
        except asyncio.IncompleteReadError:
            outcomes["closed"] += 1
            stays = False
        if not (stay and stays):
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            stream = None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_connection_is_reset_while_a_server_stops(deployed: Deployment, workers: str) -> None:
    outcomes: Counter[str] = Counter()

    async def stop(server: Server, port: int) -> None:
        clients = [
            asyncio.create_task(ask_until_refused(server, port, stay=k % 2 == 0, outcomes=outcomes))
            for k in range(CLIENTS)
        ]
        await asyncio.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*clients), 30)

    with serving(deployed.path, "--workers", workers) as server:
        asyncio.run(stop(server, server.port))
    assert outcomes["200"] > 100
    assert set(outcomes) == {"200"}, outcomes


def test_an_idle_connection_is_closed_and_not_reset(deployed: Deployment) -> None:
    async def wait_for_the_end(server: Server, port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(message("/predict", {"row": ROW}))
        assert (await read_reply(reader))[0] == 200
        server.process.send_signal(signal.SIGTERM)
        rest = await asyncio.wait_for(reader.read(), 10)
        writer.write(message("/predict", {"row": ROW}))  # it crosses the end of the connection
        with contextlib.suppress(ConnectionResetError):
            await writer.drain()
        writer.close()
        return rest

    with serving(deployed.path) as server:
        assert asyncio.run(wait_for_the_end(server, server.port)) == b""


def test_clients_that_speak_no_tls_or_left_do_no_harm(tmp_path: Path, deployed: Deployment) -> None:
    key, certificate = make_certificate(tmp_path)
    options = ("--certificate", str(certificate), "--private-key", str(key))
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def stop(server: Server, port: int) -> None:
        streams = [await asyncio.open_connection("localhost", port, ssl=trusting) for _ in range(3)]
        strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(9)]
        for k, (_, writer) in enumerate(strangers):
            if k % 3 == 0:
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
            elif k % 3 == 1:
                writer.transport.abort()
        server.process.send_signal(signal.SIGTERM)
        for reader, writer in streams:
            stays = True
            while stays:  # until the worker knows that it stops
                writer.write(message("/predict", {"row": ROW}))
                status, _, stays = await asyncio.wait_for(read_reply(reader), 20)
                assert status == 200
            writer.close()
        await asyncio.to_thread(server.process.wait, 20)
        for _, writer in strangers:
            writer.close()

    with serving(deployed.path, *options) as server:
        asyncio.run(stop(server, server.port))


def test_no_connection_that_has_begun_is_lost_when_new_ones_are_refused() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listening:
        address = listening.getsockname()
        with socket.create_connection(address) as waiting, socket.socket() as late:
            refuse_connections(listening)
            late.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.connect(address)
            accepted, _ = listening.accept()
            with accepted:
                waiting.sendall(b"request")
                assert accepted.recv(7) == b"request"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
