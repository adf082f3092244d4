"""The loader ``remote``: a file in object storage or on a web server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import lockgate
from lockgate.builtin.loaders.files import ColumnRoles, CSVSettings, load_file, verify_file

__all__ = ["Remote"]

BLOCK = 1 << 20


@lockgate.plugin
class Remote(ColumnRoles, CSVSettings):
    """Load a CSV or Parquet file from S3, HTTP or what else fsspec opens.

    The file is copied as a whole before a cell is read. DVC does not notice that it has changed:
    pin it by `sha256`, or name another file.
    """

    url: str = lockgate.setting(
        help="address, e.g. s3://bucket/churn.csv or https://example.org/churn.parquet"
    )
    sha256: str | None = lockgate.setting(
        None, help="digest of the file; any other content is refused"
    )
    endpoint: str | None = lockgate.setting(
        None, help="address of the server, for storage that is compatible with S3"
    )
    key: lockgate.Secret | None = lockgate.setting(
        None, help="environment variable with the access key of S3"
    )
    secret: lockgate.Secret | None = lockgate.setting(
        None, help="environment variable with the secret key of S3"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Copy the file, verify its digest, and read it."""
        parts = urlsplit(self.url)
        name = Path(unquote(parts.path)).name
        if not parts.scheme or not name:
            raise lockgate.UsageError(
                f"loader.remote.url is {self.url!r}, expected an address like s3://bucket/churn.csv"
            )
        with tempfile.TemporaryDirectory(dir=request.scratch) as folder:
            path = Path(folder) / name
            with path.open("wb") as file:
                for block in request.progress(self._blocks(), label="MiB"):
                    file.write(block)
            verify_file(path, self.url, self.sha256)
            return load_file(path, self, request, self.csv_format())

    def _blocks(self) -> Iterator[bytes]:
        """Yield the content of the file; raise if it ends early."""
        try:
            import fsspec

            system, path = fsspec.core.url_to_fs(self.url, **self._options())
        except (ImportError, ValueError) as error:
            raise lockgate.UsageError(
                f"loader remote cannot open {self.url}: {error}; pip install 'lockgate[remote]', "
                "'lockgate[s3]', or what the message names"
            ) from None
        copied = 0
        try:
            expected = system.size(path)
            with system.open(path, "rb") as remote:
                while block := remote.read(BLOCK):
                    copied += len(block)
                    yield block
        except Exception as error:  # each kind of storage has errors of its own
            message = " ".join(str(error).split())[:300] or type(error).__name__
            raise lockgate.DataError(
                f"{self.url} cannot be read, and nothing was kept: {message}"
            ) from None
        if expected is not None and copied != expected:
            raise lockgate.DataError(
                f"{self.url} ended after {copied:,} of {expected:,} bytes, and nothing was kept"
            )

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if self.endpoint is not None:
            options["endpoint_url"] = self.endpoint
        if self.key is not None:
            options["key"] = self.key.read()
        if self.secret is not None:
            options["secret"] = self.secret.read()
        return options
