"""A process with the heavy libraries loaded, from which the stages of a run are forked.

Importing pandas and scikit-learn takes longer than most stages run. ``lockgate run``
starts this process once; each ``lockgate stage`` that DVC starts passes it its streams,
folder, environment and arguments, and waits for the exit code. If that fails, the stage
runs in its own process.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["SOCKET_VARIABLE", "run_in_stage_server", "serve", "stage_server"]

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

SOCKET_VARIABLE = "LOCKGATE_STAGE_SERVER"
"""Environment variable with the path of the stage server's socket."""

PRELOADED = (
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "pandas",
    "pyarrow.parquet",
    "scipy.special",
    "skops.io",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "threadpoolctl",
    *(
        f"lockgate.pipeline.{name}"
        for name in ("load", "optimize", "compress", "evaluate", "package", "monitor")
    ),
)
"""Modules that stages import; a stage that needs a missing one reports it."""

IMPORT_TIME_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "SCIPY_ARRAY_API",
    "VIRTUAL_ENV",
)
"""Variables that libraries read at import: a stage whose values differ runs on its own."""


@contextlib.contextmanager
def stage_server(module: str) -> Iterator[dict[str, str]]:
    """Start `module`, which calls `serve`; yield the environment variables for the stages."""
    if not hasattr(os, "pidfd_open"):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="lockgate-stages-") as folder:
        socket_path = str(Path(folder) / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(socket_path)
            listener.listen()
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(listener.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                # its own session: Ctrl-C reaches the stage's client, which passes it on
                start_new_session=True,
                # a forked process must not inherit BLAS threads; stages use one anyway
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        try:
            yield {SOCKET_VARIABLE: socket_path}
        finally:
            # it may still be importing; if this process is killed, its closed input ends the server
            child.kill()
            child.wait()
            assert child.stdin is not None
            child.stdin.close()


def run_in_stage_server() -> int | None:
    """Run this stage in the stage server; return its exit code, or None to run it here."""
    socket_path = os.environ.get(SOCKET_VARIABLE)
    if socket_path is None:
        return None
    request = {
        "argv": sys.argv,
        "cwd": str(Path.cwd()),
        "env": dict(os.environ),
        "interpreter": _identify_interpreter(),
    }
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(socket_path)
            raw = json.dumps(request).encode()
            socket.send_fds(connection, [len(raw).to_bytes(8, "big")], [0, 1, 2])
            connection.sendall(raw)
            reply = connection.recv(16)
    except OSError:
        return None
    except KeyboardInterrupt:  # the closed connection makes the server stop the stage
        return INTERRUPTED
    return int(reply) if reply and reply != b"no" else None


def serve(listener: socket.socket, run: Callable[[], None]) -> None:
    """Fork a process for each connection, which calls `run`, until standard input is closed."""
    _preload()
    while True:
        inputs: list[Any] = [listener, 0]
        ready, _, _ = select.select(inputs, [], [])
        if 0 in ready:
            return
        connection, _ = listener.accept()
        with connection:
            _serve_one(connection, listener, run)


def _preload() -> None:
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _serve_one(connection: socket.socket, listener: socket.socket, run: Callable[[], None]) -> None:
    streams: list[int] = []
    try:
        length, streams, _, _ = socket.recv_fds(connection, 8, 3)
        raw = bytearray()
        while len(raw) < int.from_bytes(length, "big"):
            chunk = connection.recv(1 << 20)
            if not chunk:
                return
            raw += chunk
        request = json.loads(raw)
        if request["interpreter"] != _identify_interpreter() or len(streams) != 3:
            connection.sendall(b"no")
            return
        pid = os.fork()
        if pid == 0:
            listener.close()
            _run_as_stage(request, streams, run)
        _close(streams)
        connection.sendall(str(_wait_for_stage(pid, connection)).encode())
    except OSError:
        return
    finally:
        # a reader of the client's output waits until every copy of these streams is closed
        _close(streams)


def _close(streams: list[int]) -> None:
    while streams:
        os.close(streams.pop())


def _wait_for_stage(pid: int, connection: socket.socket) -> int:
    """Wait for the stage; stop it when its client disconnects or the run ends."""
    pidfd = os.pidfd_open(pid)
    try:
        inputs: list[Any] = [pidfd, connection, 0]
        ready, _, _ = select.select(inputs, [], [])
        if pidfd not in ready:
            os.kill(pid, signal.SIGINT)
            ready, _, _ = select.select([pidfd], [], [], 5)
            if not ready:
                os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(pidfd)


def _run_as_stage(request: dict[str, Any], streams: list[int], run: Callable[[], None]) -> None:
    """Take over the streams, folder, environment and arguments of the client; never return."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: die with the server
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(str(request["cwd"]))
        os.environ.clear()
        os.environ.update(request["env"])
        os.environ.pop(SOCKET_VARIABLE, None)
        sys.argv = request["argv"]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _identify_interpreter() -> list[str | None]:
    """Return what must be equal in client and server for a stage to give the same result."""
    return [sys.prefix, sys.version, *(os.environ.get(name) for name in IMPORT_TIME_VARIABLES)]
