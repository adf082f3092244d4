"""Settings of a server, with safe defaults."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

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

    body: Annotated[int, Meta(ge=1 << 10)] = 16 << 20
    head: Annotated[int, Meta(ge=256)] = 16 << 10
    target: Annotated[int, Meta(ge=16)] = 2048
    fields: Annotated[int, Meta(ge=1)] = 100
    rows: Annotated[int, Meta(ge=1)] = 100_000
    queue: Annotated[int, Meta(ge=1)] = 512
    connections: Annotated[int, Meta(ge=1)] = 2000
    head_seconds: Annotated[float, Meta(gt=0)] = 10.0
    body_seconds: Annotated[float, Meta(gt=0)] = 30.0
    write_seconds: Annotated[float, Meta(gt=0)] = 30.0
    idle_seconds: Annotated[float, Meta(gt=0)] = 75.0
    linger_seconds: Annotated[float, Meta(ge=0)] = 2.0
    linger_bytes: Annotated[int, Meta(ge=0)] = 8 << 20


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
    share: Annotated[float, Meta(ge=0, le=1)] = 0.1
    full_disk: Literal["keep", "refuse"] = "keep"
    inputs: Literal["safe", "all", "none"] = "safe"
    redact: tuple[str, ...] = ()
    key: str = ""
    days: Annotated[float, Meta(ge=0)] = 30.0
    megabytes: Annotated[int, Meta(ge=1)] = 10_240
    checkpoint_seconds: Annotated[float, Meta(gt=0)] = 5.0


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
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    limits: Limits = Limits()
    log: LogSettings = LogSettings()
    tokens: str = ""
    certificate: str = ""
    key: str = ""
    access: bool = False
    drain_seconds: Annotated[float, Meta(ge=0)] = 30.0
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
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(document, type=ServeSettings)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        parts = (("", ServeSettings), ("limits.", Limits), ("log.", LogSettings))
        keys = ", ".join(f"{part}{name}" for part, cls in parts for name in cls.__struct_fields__)
        raise UsageError(f"{path}: {error}; keys: {keys}") from None


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)

    """
    return host.startswith("127.") or host in ("localhost", "::1")
