"""Files of installed distributions, found by their pinned digest without an import."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from lockgate.data.io.digests import sha256_file
from lockgate.errors import DataError, DigestMismatch
from lockgate.suggestions import nearest

__all__ = ["installed_file"]


def installed_file(
    distribution: str, path: str, *, version: str | None = None, sha256: str | None = None
) -> Path:
    """Find a file of an installed distribution without importing it.

    Parameters
    ----------
    distribution : str
        Name of the distribution, e.g. ``lifetimes``.
    path : str
        The file as the distribution's record lists it, e.g.
        ``lifetimes/datasets/CDNOW_master.txt``.
    version : str, optional
        Required version.
    sha256 : str, optional
        Required digest of the content, in hex.

    Returns
    -------
    pathlib.Path
        Path of the file.

    Raises
    ------
    DataError
        If distribution, version or file is not installed.
    DigestMismatch
        If the content has another digest.

    """
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        requirement = f"{distribution}=={version}" if version else distribution
        raise DataError(
            f"the data are part of the package {distribution}, which is not installed; "
            f"pip install '{requirement}'"
        ) from None
    if version is not None and installed.version != version:
        raise DataError(
            f"expected {distribution} {version}, got {installed.version}; "
            f"pip install '{distribution}=={version}'"
        )
    files = {str(file): file for file in installed.files or ()}
    if path not in files:
        raise DataError(
            f"{distribution} {installed.version} has no file {path!r}{nearest(path, files)}"
        )
    located = Path(str(files[path].locate()))
    if not located.is_file():
        raise DataError(f"{located} of {distribution} is missing; reinstall the package")
    if sha256 is not None and (digest := sha256_file(located)) != sha256:
        raise DigestMismatch(str(located), sha256, digest, f"reinstall {distribution}")
    return located
