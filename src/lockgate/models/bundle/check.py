"""Opens a bundle in a child process under limits, to protect the parent from a bad bundle."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import select
import signal
import time
from pathlib import Path

from lockgate.errors import BundleError

__all__ = ["BundleCheck", "check_in_subprocess"]

SECONDS = 60.0
"""Longest time that opening a bundle may take, in seconds."""

MEMORY = 4 << 30
"""Memory that opening it may take, in bytes."""


class BundleCheck:
    """A child process that opens a bundle and checks its probe rows.

    Parameters
    ----------
    folder : pathlib.Path
        The bundle.
    digest : str, optional
        sha256 that its manifest must have.
    seconds : float
        Longest time.
    memory : int
        Bytes that the child may allocate beyond what it starts with.

    """

    def __init__(
        self,
        folder: Path,
        digest: str | None = None,
        *,
        seconds: float = SECONDS,
        memory: int = MEMORY,
    ) -> None:
        self.folder, self.digest = folder, digest
        self.deadline = time.monotonic() + seconds
        read_end, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read_end)
            _run_child(folder, digest, write_end, seconds, memory)
        os.close(write_end)
        os.set_blocking(read_end, False)
        self.pipe = read_end
        self._output = b""

    def fileno(self) -> int:
        """Return the file descriptor that becomes readable when there is output."""
        return self.pipe

    def finished(self) -> bool:
        """Return whether the child has finished; never waits."""
        if time.monotonic() > self.deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        try:
            while chunk := os.read(self.pipe, 65536):
                self._output += chunk
        except BlockingIOError:
            return False
        return True

    def verdict(self) -> str:
        """Return the problem, or an empty text; call it once, after `finished`."""
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0 and self._output == b"ok":
            return ""
        if self._output.startswith(b"no:"):
            return self._output[3:].decode("utf-8", "replace")
        if time.monotonic() > self.deadline:
            return f"{self.folder}: opening it exceeded the time limit"
        cause = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "an error"
        return f"{self.folder}: opening it failed with {cause} under the memory and time limits"

    def stop(self) -> None:
        """Kill the child and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.pipe)
        os.waitpid(self.pid, 0)


def check_in_subprocess(folder: Path, digest: str | None = None) -> None:
    """Open a bundle in a child process and wait for the result.

    Raises
    ------
    BundleError
        If it cannot be opened, with the reason.

    """
    check = BundleCheck(folder, digest)
    while not check.finished():
        select.select([check], [], [], 0.5)
    if problem := check.verdict():
        raise BundleError(problem)


def _run_child(folder: Path, digest: str | None, pipe: int, seconds: float, memory: int) -> None:
    """Run in the child: write "ok", or "no:" with a reason, and exit without clean-up."""
    code = 1
    # what the parent holds is not finalized here: threads of its libraries, such as TensorFlow's,
    # are not in the child, and without them their finalizers crash
    gc.disable()
    try:
        for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signal_number, signal.SIG_DFL)
        # RLIMIT_AS counts all address space, what the parent had mapped included
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        memory_limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (memory_limit, memory_limit))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from lockgate.models.bundle.open import open_bundle

        actual_digest = open_bundle(folder).digest
        if digest is not None and actual_digest != digest:
            raise BundleError(f"{folder} has digest {actual_digest}, expected {digest}")
        os.write(pipe, b"ok")
        code = 0
    except BaseException as error:  # the parent must get every error, and the child must end
        message = (
            str(error) if isinstance(error, BundleError) else f"{type(error).__name__}: {error}"
        )
        with contextlib.suppress(OSError):
            os.write(pipe, b"no:" + message.encode()[:60_000])
    finally:
        os._exit(code)
