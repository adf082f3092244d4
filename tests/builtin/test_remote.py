"""The loader ``remote`` on an S3-compatible server and on a web server, as they are and as they fail."""

from __future__ import annotations

import hashlib
import http.server
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lockgate
from lockgate.builtin.loaders.remote import Remote
from tests.object_store import put, run_store

ROWS = pd.DataFrame({"zip": ["01067", "80331"] * 40, "size": range(80), "y": ["no", "yes"] * 40})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3-compatible server with a file in each form."""
    with run_store("shop") as address:
        put(f"{address}/shop/2026/rows.csv", ROWS.to_csv(index=False).encode())
        path = tmp_path_factory.mktemp("rows") / "rows.parquet"
        ROWS.to_parquet(path, index=False)
        put(f"{address}/shop/rows.parquet", path.read_bytes())
        yield address


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends the rows, or half of them, or an error, by the name of the file."""

    def do_HEAD(self) -> None:
        self.head()

    def head(self) -> bytes:
        content = ROWS.to_csv(index=False).encode()
        self.send_response(404 if "none" in self.path else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def do_GET(self) -> None:
        content = self.head()
        self.wfile.write(content[: len(content) // 2] if "half" in self.path else content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "testing")
    monkeypatch.setenv("SHOP_SECRET", "testing-secret")


def load(folder: Path, **settings: Any) -> lockgate.Table:
    for name in ("key", "secret"):
        if name in settings:
            settings[name] = lockgate.Secret(settings[name])
    table: lockgate.Table = Remote(**settings).load(lockgate.LoadRequest(scratch=folder))
    return table


S3 = {"key": "SHOP_KEY", "secret": "SHOP_SECRET", "target": "y"}


@pytest.mark.parametrize("path", ["2026/rows.csv", "rows.parquet"])
def test_a_file_in_object_storage_is_read_as_a_file_here(
    store: str, path: str, tmp_path: Path
) -> None:
    table = load(tmp_path, url=f"s3://shop/{path}", endpoint=store, **S3)
    pd.testing.assert_frame_equal(table.frame, ROWS, check_dtype=False)
    assert table.schema["zip"].kind == "category"
    assert not list(tmp_path.iterdir())


def test_a_file_of_a_web_server_is_pinned(web: str, tmp_path: Path) -> None:
    digest = hashlib.sha256(ROWS.to_csv(index=False).encode()).hexdigest()
    assert len(load(tmp_path, url=f"{web}/rows.csv", target="y", sha256=digest)) == 80
    with pytest.raises(lockgate.DigestMismatch, match=f"got {digest}"):
        load(tmp_path, url=f"{web}/rows.csv", target="y", sha256="0" * 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "s3://shop/none.csv", **S3}, "cannot be read, and nothing was kept"),
        ({"url": "WEB/none.csv"}, "cannot be read, and nothing was kept"),
        ({"url": "WEB/half.csv"}, "nothing was kept"),
        ({"url": "http://127.0.0.1:9/rows.csv"}, "cannot be read, and nothing was kept"),
        ({"url": "rows.csv"}, "expected an address like"),
        ({"url": "s3://shop"}, "expected an address like"),
        ({"url": "nonsense://shop/rows.csv"}, "cannot open nonsense://shop/rows.csv"),
        ({"url": "https://me:word@example.org/rows.csv"}, "an address without a password"),
        ({"url": "WEB/rows.csv", "target": "z"}, "unknown target column 'z'"),
    ],
)
def test_mistakes_and_failures_are_named(
    store: str, web: str, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    settings = settings | {"url": settings["url"].replace("WEB", web)}
    if settings["url"].startswith("s3://shop/"):
        settings["endpoint"] = store
    with pytest.raises(lockgate.LockgateError, match=message) as raised:
        load(tmp_path, **settings)
    assert "testing-secret" not in str(raised.value)
    assert not list(tmp_path.iterdir())
