"""One process with the heavy libraries loaded, that a run's stages are forked from.

Importing pandas and scikit-learn takes longer than most stages work. ``lockgate
run`` starts this process once; each ``lockgate stage`` that DVC starts hands its
streams, folder and environment over and waits for the exit code. Whatever goes
wrong with that, the stage runs in its own process as if this one did not exist.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["SOCKET_VARIABLE", "run_in_stage_server", "serve", "stage_server"]

SOCKET_VARIABLE = "LOCKGATE_WARM"
"""Environment variable: where the warm process listens."""

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
"""What stages import; a name that is missing is left to the stage to complain about."""

IMPORT_TIME_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "SCIPY_ARRAY_API",
    "VIRTUAL_ENV",
)
"""Variables that libraries read when they are imported: a stage with others runs on its own."""


@contextlib.contextmanager
def stage_server(module: str) -> Iterator[dict[str, str]]:
    """Start `module`, which calls `serve`, and give the variable that tells stages of it."""
    if not hasattr(os, "pidfd_open"):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="lockgate-warm-") as folder:
        socket_path = str(Path(folder) / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(socket_path)
            listener.listen()
            child = subprocess.Popen(
                [sys.executable, "-m", module, str(listener.fileno())],
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
            # it may still be importing; a run that is killed itself closes its input instead
            child.kill()
            child.wait()
            assert child.stdin is not None
            child.stdin.close()


def run_in_stage_server() -> int | None:
    """Hand this stage to the warm process; its exit code, or None to run here."""
    socket_path = os.environ.get(SOCKET_VARIABLE)
    if socket_path is None:
        return None
    request = {
        "argv": sys.argv,
        "cwd": str(Path.cwd()),
        "env": dict(os.environ),
        "is": _describe_environment(),
    }
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(socket_path)
            raw = json.dumps(request).encode()
            socket.send_fds(connection, [len(raw).to_bytes(8, "big")], [0, 1, 2])
            connection.sendall(raw)
            answer = connection.recv(16)
    except OSError:
        return None
    return int(answer) if answer and answer != b"no" else None


def serve(listener: socket.socket, run: Callable[[], None]) -> None:
    """Fork a process per connection that calls `run`, until standard input ends."""
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
    import importlib

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
        if request["is"] != _describe_environment() or len(streams) != 3:
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
        # whoever reads the client's output waits until nobody holds it open
        _close(streams)


def _close(streams: list[int]) -> None:
    while streams:
        os.close(streams.pop())


def _wait_for_stage(pid: int, connection: socket.socket) -> int:
    """Wait for the stage; end it when its client, or the whole run, is gone."""
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
    """Be the stage: its streams, folder, environment and arguments; never return."""
    import ctypes
    import traceback

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


def _describe_environment() -> list[str | None]:
    """What must be equal in client and server for their stages to be the same."""
    return [sys.prefix, sys.version, *(os.environ.get(name) for name in IMPORT_TIME_VARIABLES)]
