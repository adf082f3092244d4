"""What a server can be told, with defaults that are safe to leave alone."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Limits", "LogSettings", "ServeSettings", "is_loopback"]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes in bytes and counts, times in seconds, all per worker.

    Attributes
    ----------
    body, head, target, fields : int
        Largest body, head and path, and most headers, of a request.
    rows : int
        Most rows of a request.
    queue : int
        Rows that may wait for an answer; beyond, 503 with Retry-After.
    connections : int
        Connections held open.
    head_seconds, body_seconds : float
        Longest time for a head or a body to arrive.
    write_seconds : float
        Longest time that a client may not read its answer.
    idle_seconds : float
        Time after which an idle connection is closed.
    linger_seconds, linger_bytes
        How long, and how much, a refused client may go on sending.

    """

    body: int = 16 << 20
    head: int = 16 << 10
    target: int = 2048
    fields: int = 100
    rows: int = 100_000
    queue: int = 512
    connections: int = 2000
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0
    linger_bytes: int = 8 << 20


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the prediction log keeps.

    Attributes
    ----------
    durability : {"full", "normal", "sampled", "off"}
        Flushed to disk before the answer leaves; written before it leaves, so that
        it outlives the process; a share of the answers; nothing.
    share : float
        The share that `sampled` keeps.
    full_disk : {"keep", "refuse"}
        When the log cannot be written: go on answering and count, or answer 503.
    inputs : {"safe", "all", "none"}
        Which inputs are kept: all but texts and columns whose names point to a
        person; all; none.
    redact : tuple of str
        Columns that are never kept.
    key : str
        Column of the request, besides the model's inputs, by which labels are joined.
    days : float
        Age at which it is deleted.
    megabytes : int
        Size beyond which the oldest part is deleted, over all workers.

    """

    durability: Literal["full", "normal", "sampled", "off"] = "normal"
    share: float = 0.1
    full_disk: Literal["keep", "refuse"] = "keep"
    inputs: Literal["safe", "all", "none"] = "safe"
    redact: tuple[str, ...] = ()
    key: str = ""
    days: float = 30.0
    megabytes: int = 10_240


class ServeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a server is told when it starts.

    Attributes
    ----------
    host : str
        Address to listen on.
    port : int
        Port to listen on; 0 takes a free one.
    workers : int
        Processes that answer.
    limits : Limits
        Sizes and times.
    log : LogSettings
        The prediction log.
    tokens : str
        File of tokens; empty for none.
    certificate, key : str
        PEM files for TLS.
    access : bool
        Whether every request is logged, not only those that fail.
    drain_seconds : float
        How long a server that was told to stop goes on with what it has.
    batching : {"auto", "on", "off"}
        Whether rows that wait together are computed together.
    require_verdict : bool
        Whether only bundles are served that come with a passing verdict.
    signers : str
        File of those who may sign; empty if signatures are not asked for.

    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    limits: Limits = Limits()
    log: LogSettings = LogSettings()
    tokens: str = ""
    certificate: str = ""
    key: str = ""
    access: bool = False
    drain_seconds: float = 30.0
    batching: Literal["auto", "on", "off"] = "auto"
    require_verdict: bool = False
    signers: str = ""

    @property
    def private(self) -> bool:
        """Whether only this machine can reach the address."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)

    """
    return host.startswith("127.") or host in ("localhost", "::1")
