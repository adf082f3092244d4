"""Load for proofs: many clients of one server, every answer kept account of."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Account:
    """What came of the requests."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    shed: int = 0
    lost: int = 0
    ids: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        total = sum(self.answered.values())
        return (
            f"{total} answered {dict(self.answered)}, {len(self.failed)} failed, "
            f"{len(self.mixed)} mixed, {self.shed} shed, {self.lost} lost"
        )


def message(path: str, body: Any) -> bytes:
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw


async def read_reply(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Return status, body, and whether the connection stays."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return status, await reader.readexactly(length), b"connection: close" not in head.lower()


async def closed(stream: Any) -> None:
    """Close a connection to its end."""
    if stream is not None:
        stream[1].close()
        with contextlib.suppress(OSError):
            await stream[1].wait_closed()


class Load:
    """Clients that ask the same rows again and again until told to stop.

    `expected` maps a version to the scores that its model gives to the rows: an
    answer whose version and score do not belong together is a mixed one.
    """

    def __init__(
        self,
        port: int,
        rows: list[Any],
        expected: dict[str, list[float]],
        *,
        clients: int,
        rate: float | None = None,
        crash: bool = False,
    ) -> None:
        self.port, self.rows, self.expected = port, rows, expected
        self.clients, self.rate, self.crash = clients, rate, crash
        self.account = Account()
        self.stopped = False
        self._turn = itertools.count()

    async def run(self) -> Account:
        await asyncio.gather(*(self._client() for _ in range(self.clients)))
        return self.account

    async def _client(self) -> None:
        account, loop = self.account, asyncio.get_running_loop()
        messages = [message("/predict", {"row": row}) for row in self.rows]
        pause = 0.0 if self.rate is None else self.clients / self.rate
        stream: Any = None
        next_at = loop.time()
        while not self.stopped:
            place = next(self._turn) % len(messages)
            began = time.perf_counter()
            try:
                if stream is None:
                    stream = await asyncio.open_connection("127.0.0.1", self.port)
                stream[1].write(messages[place])
                status, body, stays = await read_reply(stream[0])
            except (OSError, asyncio.IncompleteReadError) as error:
                stream = await closed(stream)
                if self.crash:  # a worker was killed: what it was answering is lost
                    account.lost += 1
                    await asyncio.sleep(0.01)
                else:
                    account.failed.append(repr(error))
                continue
            account.seconds.append(time.perf_counter() - began)
            self._judge(place, status, body)
            if not stays:
                stream = await closed(stream)
            if pause:
                next_at = max(next_at + pause, loop.time() - 1)
                await asyncio.sleep(max(0.0, next_at - loop.time()))
        await closed(stream)

    def _judge(self, place: int, status: int, body: bytes) -> None:
        account = self.account
        if status == 503:
            account.shed += 1
            return
        if status != 200:
            account.failed.append(f"{status} {body[:200]!r}")
            return
        said = json.loads(body)
        account.answered[said["version"]] += 1
        account.ids.append(said["id"])
        if said["score"] != self.expected[said["version"]][place]:
            account.mixed.append(body.decode())
