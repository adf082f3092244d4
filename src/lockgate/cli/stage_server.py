"""The stage server as a program: ``python -m lockgate.cli.stage_server DESCRIPTOR``."""

from __future__ import annotations

import socket
import sys

from lockgate.cli.commands import run_cli
from lockgate.pipeline.stage_server import serve

if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), run_cli)
