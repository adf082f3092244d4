"""Log formats: ECS JSON for machines, plain text on a terminal."""

from __future__ import annotations

import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from lockgate.contract.secrets import hide_secrets

__all__ = ["TRACE_PARENT", "configure_logging"]

TRACE_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}"
    r"(?:-[ -~]{0,200})?"
)
"""W3C Trace Context, section 3.2: version, trace id, parent id, flags; later versions may add."""


class EcsFormatter(logging.Formatter):
    """One JSON object per line, with the field names of the Elastic Common Schema 8."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        document: dict[str, Any] = {
            "@timestamp": _format_time(record),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            "ecs.version": "8.11",
            "log.logger": record.name,
            "process.pid": record.process,
            "service.name": "lockgate",
        }
        for field, name in FIELDS.items():
            value = getattr(record, field, None)
            if value not in (None, ""):
                document[name] = value
        if (seconds := getattr(record, "seconds", None)) is not None:
            document["event.duration"] = int(seconds * 1e9)
        if match := TRACE_PARENT.fullmatch(getattr(record, "traceparent", "")):
            document["trace.id"], document["span.id"] = match[1], match[2]
        if record.exc_info and record.exc_info[0] is not None:
            document["error.type"] = record.exc_info[0].__name__
            document["error.message"] = str(record.exc_info[1])
            document["error.stack_trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(document).decode()


FIELDS = {
    "id": "http.request.id",
    "status": "http.response.status_code",
    "method": "http.request.method",
    "path": "url.path",
    "peer": "client.ip",
    "who": "user.name",
}
"""Attributes of a record, and their names in ECS."""


class TextFormatter(logging.Formatter):
    """One line of text, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        time_of_day = _format_time(record)[11:19]
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        extra = ""
        if (seconds := getattr(record, "seconds", None)) is not None:
            extra = f"  {seconds * 1e3:.2f} ms"
        if prediction_id := getattr(record, "id", ""):
            extra += f"  id {prediction_id}"
        text = f"{time_of_day}  {level}{record.getMessage()}{extra}"
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + self.formatException(record.exc_info)
        return text


class LineHandler(logging.Handler):
    """Writes each line in one system call, so that lines of several processes do not mix."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            text = hide_secrets(self.format(record))
            os.write(2, text.encode("utf-8", "replace") + b"\n")
        except OSError:
            pass  # the reader is gone, e.g. a closed pipe; that must not stop the server
        except Exception:
            self.handleError(record)


def configure_logging(*, machine: bool | None = None) -> None:
    """Send lockgate's log to standard error.

    Parameters
    ----------
    machine : bool, optional
        Whether to write ECS JSON; by default, unless standard error is a terminal.

    """
    root = logging.getLogger("lockgate")
    handler = LineHandler()
    as_json = not sys.stderr.isatty() if machine is None else machine
    handler.setFormatter(EcsFormatter() if as_json else TextFormatter())
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False


def _format_time(record: logging.LogRecord) -> str:
    timestamp = datetime.fromtimestamp(record.created, UTC)
    return timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
