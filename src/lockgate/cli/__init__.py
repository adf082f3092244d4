"""The command line: thin commands; start-up imports nothing heavy."""

from __future__ import annotations

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
    from lockgate.cli.commands import run_cli

    run_cli()
