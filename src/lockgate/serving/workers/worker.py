"""A worker: a process that serves requests, controlled by the supervisor.

Messages from the supervisor are "prepare" (open the bundles of a pointer), "switch" (serve
them), "ping" and "drain"; to it "ready" or "failed", "switched", "pong", and "unfit" before a
worker ends because its bundles cannot be served. A worker accepts requests from its first
"switch" on, so that it never serves what has been replaced while it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import mmap
import signal
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from lockgate.deployment.control.channel import Channel
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import LockgateError, ServingError
from lockgate.prediction_log.trace import LOG
from lockgate.serving.application import Application
from lockgate.serving.endpoints import all_routes
from lockgate.serving.http.connection_pool import ConnectionPool
from lockgate.serving.http.tokens import Tokens
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.prediction.recorder import Recorder
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import MetricsRecorder
from lockgate.serving.workers.handover import Handover
from lockgate.serving.workers.refuse import refuse_connections
from lockgate.serving.workers.swap_state import Swap

__all__ = ["run_worker", "tls_context"]

log = logging.getLogger("lockgate.serve")

PUBLISH_SECONDS = 0.25
"""Seconds between two updates of the shared metrics."""

ORPHAN_SECONDS = 2.0
"""Longest time that a worker without supervisor finishes the requests in progress."""

SWITCH_SECONDS = 0.0005
"""Time after which the thread of large requests lets the loop go on, if that has work."""

CLOSE_TURNS = 100
"""Turns of the loop after which a socket is taken to be closed."""

MAX_WAITING = 5000
"""Connections that are accepted at most when a worker stops listening."""

HANDSHAKE_SECONDS = 0.1  # for connections that have begun

GRACE_SECONDS = 0.5
"""Time that a draining worker still accepts requests, before it stops listening."""


class Worker:
    """State of the worker process."""

    def __init__(
        self,
        settings: ServeSettings,
        deployment: Deployment,
        channel: Channel,
        metrics: MetricsRecorder,
        started_at: float,
    ) -> None:
        self.settings, self.deployment, self.channel = settings, deployment, channel
        self.metrics, self.started_at = metrics, started_at
        self.handover: Handover[ModelStore] = Handover()
        self.store = ModelStore([])
        self.generation, self.accepting = 0, False
        self.app: Application
        self.connections: ConnectionPool
        self.stopping, self.switched, self.orphaned = asyncio.Event(), asyncio.Event(), False

    def open(self, pointer: Pointer) -> ModelStore:
        """Open and warm up the bundles of a pointer; those that are open already are reused."""
        loaded = {
            (model.name, model.stage, model.version, model.digest): model
            for model in self.store.all
        }
        return ModelStore(
            [
                loaded.get((slot.name, slot.stage, slot.version, slot.digest))
                or LoadedModel(
                    slot, self.deployment.bundle(slot.digest), batching=self.settings.batching
                )
                for slot in pointer.slots
            ],
            pointer.seq,
        )

    def receive_messages(self) -> None:
        """Handle the messages of the supervisor."""
        for message in self.channel.receive():
            op = message["op"]
            if op == "prepare":
                pointer = msgspec.convert(message["pointer"], Pointer)
                self._prepare(pointer, message["generation"])
            elif op == "switch":
                self._switch(message["generation"])
            elif op == "ping":
                self.channel.send("pong")
            elif op == "drain":
                self._stop()
        if self.channel.closed and not self.orphaned:
            self.orphaned = True  # ends soon: another supervisor may need the address
            asyncio.get_running_loop().remove_reader(self.channel.fileno())
            self._stop()

    def _stop(self) -> None:
        self.stopping.set()
        self.switched.set()

    def _switch(self, generation: int) -> None:
        store = self.handover.take(generation)
        if store is None:
            return
        self.store = self.app.store = store
        self.generation = generation
        self.switched.set()
        if self.accepting:
            self.channel.send("switched", generation=generation)

    def _prepare(self, pointer: Pointer, generation: int) -> None:
        self.handover.prepare(generation)
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(None, self.open, pointer)

        def on_opened(future: asyncio.Future[ModelStore]) -> None:
            try:
                if self.handover.on_opened(generation, future.result()):
                    self.channel.send("ready", generation=generation)
            except (LockgateError, OSError, MemoryError) as error:
                reason = str(error) or repr(error)
                self.channel.send("failed", generation=generation, why=reason)
            except Exception as error:
                log.exception("opening a bundle failed")
                self.channel.send("failed", generation=generation, why=repr(error))

        opening.add_done_callback(on_opened)

    async def run(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Serve requests until drained."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.channel.fileno(), self.receive_messages)
        self.channel.send("ready", generation=self.handover.generation)
        await self.switched.wait()
        if self.stopping.is_set():
            return
        queue = listening.dup()
        handshake, shutdown = (10.0, 3.0) if tls else (None, None)
        server = await loop.create_server(
            self.connections.make,
            sock=listening,
            ssl=tls,
            backlog=2048,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=shutdown,
        )
        self.accepting = True
        self.channel.send("switched", generation=self.generation)
        last_tick = time.monotonic()
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), PUBLISH_SECONDS)
            now = time.monotonic()
            self.channel.flush()
            self.app.refresh()
            self.metrics.tally.gauges["connections"] = len(self.connections.open)
            self.metrics.publish()
            if now - last_tick >= 1:
                last_tick = now
                self.connections.tick()
                if self.app.tokens is not None:
                    self.app.tokens.refresh()
        self.app.ready = False
        self.connections.draining = True
        if not self.orphaned:
            await asyncio.sleep(GRACE_SECONDS)  # until load balancers see that it is not ready
        try:
            refuse_connections(queue)
        except OSError:  # a system without filters resets a few clients
            queue.listen(0)
        await asyncio.sleep(HANDSHAKE_SECONDS)
        server.close()
        for _ in range(CLOSE_TURNS):  # the loop closes it a moment later
            if listening.fileno() >= 0:
                await asyncio.sleep(0)
        connect = functools.partial(
            loop.connect_accepted_socket,
            self.connections.make,
            ssl=tls,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=shutdown,
        )
        accepting = [
            loop.create_task(connect(sock=connection)) for connection in _accept_waiting(queue)
        ]
        await self._drain(accepting)

    async def _drain(self, accepting: list[asyncio.Task[Any]]) -> None:
        """Finish the requests in progress, also of connections that are being accepted."""
        deadline = time.monotonic() + (
            ORPHAN_SECONDS if self.orphaned else self.settings.drain_seconds
        )
        while time.monotonic() < deadline:
            if not self.connections.open and all(task.done() for task in accepting):
                break
            self.connections.close_idle()
            self.connections.tick()
            await asyncio.sleep(0.02)
        for task in accepting:
            task.cancel()
        # a client that has left, or does not speak TLS, is no fault of the server
        await asyncio.gather(*accepting, return_exceptions=True)
        for connection in list(self.connections.open):
            connection.transport.abort()
        self.metrics.tally.gauges = {}
        self.metrics.publish()


def _accept_waiting(queue: socket.socket) -> list[socket.socket]:
    """Accept the connections that wait, and stop listening."""
    connections = []
    with queue:
        for _ in range(MAX_WAITING):
            try:
                connections.append(queue.accept()[0])
            except ConnectionAbortedError:
                continue  # that client has left
            except OSError:
                break  # no other waits, or no more files can be opened
    for connection in connections:
        connection.setblocking(False)
    return connections


def run_worker(
    settings: ServeSettings,
    deployment: Deployment,
    swap: Swap,
    listening: socket.socket,
    channel_socket: socket.socket,
    pages: mmap.mmap,
    slot: int,
    started_at: float,
) -> int:
    """Run a worker until it is drained; return the exit code."""
    import uvloop

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # the supervisor handles them
    channel = Channel(channel_socket)
    sys.setswitchinterval(SWITCH_SECONDS)

    async def serve() -> None:
        worker = Worker(settings, deployment, channel, MetricsRecorder(pages, slot), started_at)
        worker.store = worker.open(swap.live)
        worker.handover.prepare(swap.generation)
        worker.handover.on_opened(swap.generation, worker.store)
        recorder = None
        if settings.log.durability != "off":
            recorder = Recorder(deployment.path / LOG, settings.log, worker.metrics)
        tokens = Tokens(Path(settings.tokens)) if settings.tokens else None
        worker.app = Application(
            worker.store,
            settings,
            worker.metrics,
            recorder=recorder,
            tokens=tokens,
            started_at=started_at,
        )
        worker.app.mount(all_routes(worker.app))
        worker.connections = ConnectionPool(worker.app, settings.limits)
        gc.collect()
        gc.freeze()
        await worker.run(listening, tls_context(settings))

    try:
        uvloop.run(serve())
    except LockgateError as error:
        channel.send("unfit", why=str(error))
        return 3
    return 0


def tls_context(settings: ServeSettings) -> ssl.SSLContext | None:
    """Return the TLS context, None if the settings name no certificate.

    Raises
    ------
    ServingError
        If certificate and key cannot be read, or do not belong together.

    """
    if not settings.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key or None)
    except (OSError, ssl.SSLError) as error:
        raise ServingError(
            f"{settings.certificate} is not a certificate with a private key: {error}"
        ) from None
    return context
