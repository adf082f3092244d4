"""A server that speaks S3's protocol, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

__all__ = ["KEYS", "put", "run_store"]

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
STORE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def run_store(bucket: str) -> Iterator[str]:
    """Run the server with an empty bucket, and return its address."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", STORE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | KEYS,
        text=True,
    )
    assert process.stdout is not None
    address = f"http://127.0.0.1:{int(process.stdout.readline())}"
    put(f"{address}/{bucket}", b"")
    try:
        yield address
    finally:
        process.kill()
        process.communicate()


def put(address: str, content: bytes) -> None:
    """Write an object, or make a bucket."""
    headers = {"Content-Type": "application/octet-stream"}  # a form would be parsed
    request = urllib.request.Request(address, data=content or None, headers=headers, method="PUT")
    urllib.request.urlopen(request).close()
