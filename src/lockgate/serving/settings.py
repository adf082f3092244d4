"""Settings of a server, with safe defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from lockgate.errors import UsageError

__all__ = ["Limits", "LogSettings", "ServeSettings", "is_loopback", "read_settings"]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of each worker: sizes in bytes, times in seconds.

    Attributes
    ----------
    body, head, target, fields : int
        Maximum size of the body, the head and the path of a request, and number of headers.
    rows : int
        Maximum number of rows of a request.
    queue : int
        Maximum number of rows that wait for prediction; further requests get status 503.
    connections : int
        Maximum number of open connections.
    head_seconds, body_seconds : float
        Time within which a head, or a body, must arrive.
    write_seconds : float
        Time within which a client must read its response.
    idle_seconds : float
        Time after which an idle connection is closed.
    linger_seconds : float
        Time for which the rest of a rejected request is read and discarded.
    linger_bytes : int
        Maximum size of that rest.

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
    """Settings of the prediction log.

    Attributes
    ----------
    durability : {"full", "normal", "sampled", "off"}
        When a prediction is logged: flushed to disk before the response; written before
        the response, so that it survives the process but not the machine; written for a
        share of the responses; never.
    share : float
        Share of the responses that `sampled` logs.
    full_disk : {"keep", "refuse"}
        When the log cannot be written: respond and count the loss, or respond with 503.
    inputs : {"safe", "all", "none"}
        Input columns to log: all but texts and names that indicate personal data; all;
        none.
    redact : tuple of str
        Columns that are never logged.
    key : str
        Extra column of the request whose values identify rows, for joining labels.
    days : float
        Age at which predictions are deleted.
    megabytes : int
        Total size above which the oldest predictions are deleted.
    checkpoint_seconds : float
        Time between two checkpoints of the write-ahead log.

    """

    durability: Literal["full", "normal", "sampled", "off"] = "normal"
    share: float = 0.1
    full_disk: Literal["keep", "refuse"] = "keep"
    inputs: Literal["safe", "all", "none"] = "safe"
    redact: tuple[str, ...] = ()
    key: str = ""
    days: float = 30.0
    megabytes: int = 10_240
    checkpoint_seconds: float = 5.0


class ServeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of a server.

    Attributes
    ----------
    host : str
        Address to listen on.
    port : int
        Port to listen on; 0 for any free port.
    workers : int
        Number of worker processes.
    limits : Limits
        Limits of each worker.
    log : LogSettings
        Settings of the prediction log.
    tokens : str
        File of tokens; empty if requests need no token.
    certificate, key : str
        PEM files for TLS; empty for plain HTTP.
    access : bool
        Whether all requests are logged, not only those that fail.
    drain_seconds : float
        Maximum time for finishing the requests in progress when the server stops.
    batching : {"auto", "on", "off"}
        Whether waiting rows are predicted together; `auto` measures what is faster.
    require_verdict : bool
        Whether only bundles with a passing verdict are served.
    signers : str
        File of allowed signers; empty if signatures are not required.

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
        """Whether the address is reachable from this machine only."""
        return is_loopback(self.host)


def read_settings(path: Path) -> ServeSettings:
    """Read settings from a TOML file.

    Raises
    ------
    UsageError
        If the file is not valid TOML, has an unknown key, or a value of another type.

    """
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(document, type=ServeSettings)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        keys = ", ".join(ServeSettings.__struct_fields__)
        raise UsageError(f"{path}: {error}; keys: {keys}; see docs/python.md") from None


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)

    """
    return host.startswith("127.") or host in ("localhost", "::1")
