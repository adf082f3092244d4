"""The command line: thin commands; start-up imports nothing heavy."""

from __future__ import annotations

import atexit
import gc
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; a stage runs in the stage server of its run if there is one."""
    if sys.argv[1:2] == ["stage"] and "LOCKGATE_STAGE_SERVER" in os.environ:
        from lockgate.pipeline.stage_server import run_in_stage_server

        code = run_in_stage_server()
        if code is not None:  # else the server is gone, and the stage runs here
            sys.exit(code if code >= 0 else 128 - code)
    if sys.argv[1:2] == ["stage"]:
        _collect_garbage_rarely()
    from lockgate.cli.commands import run_cli

    run_cli()


def _collect_garbage_rarely() -> None:
    """Spare a process that ends soon the passes over everything that its libraries define.

    Importing scikit-learn and pandas makes a million objects that live as long as the
    process; collecting while they are made, and once more at the exit, takes a fifth of
    a stage's time.
    """
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)
