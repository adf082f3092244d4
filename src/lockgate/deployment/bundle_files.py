"""The bundles of a deployment directory, by digest, and the manifests that outlive them."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from lockgate.contract.names import NAME
from lockgate.data.io.atomic import write_file
from lockgate.data.io.digests import sha256_file
from lockgate.errors import BundleError, DeploymentError
from lockgate.models.bundle.copy import copy_bundle, remove_unreferenced
from lockgate.models.bundle.manifest import MANIFEST, Manifest, read_manifest

__all__ = ["BundleFiles"]


class BundleFiles:
    """Bundles and manifests below one folder.

    Parameters
    ----------
    path : pathlib.Path
        The deployment directory.

    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def folder(self, digest: str) -> Path:
        """Return the folder for a bundle with this digest, whether or not it exists."""
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise DeploymentError(f"{self.path}: {digest[:80]!r} is not a bundle digest")
        return self.path / "bundles" / digest

    def manifest(self, digest: str) -> Manifest | None:
        """Read the manifest of a bundle that is, or was, deployed here."""
        for path in (self.folder(digest) / MANIFEST, self._manifest_path(digest)):
            if path.is_file() and sha256_file(path) == digest:
                return msgspec.json.decode(path.read_bytes(), type=Manifest)
        return None

    def store(self, source: Path) -> tuple[Manifest, str]:
        """Copy a bundle here and return its manifest and digest.

        Raises
        ------
        BundleError
            If the bundle is incomplete or changed, or its name cannot be part of a URL path.
        DeploymentError
            If the disk is full; then nothing is left of it here.

        """
        manifest = read_manifest(source)
        if not NAME.fullmatch(manifest.name):
            raise BundleError(
                f"{source}: {manifest.name[:80]!r} is not a valid model name; "
                "allowed are letters, digits and . _ + -"
            )
        digest = sha256_file(source / MANIFEST)
        target = self.folder(digest)
        try:
            copy_bundle(source, target, digest)
            # kept when the bundle is removed, so that its predictions can still be traced
            if not self._manifest_path(digest).is_file():
                write_file(self._manifest_path(digest), (target / MANIFEST).read_bytes())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DeploymentError(self._describe_full_disk(source, manifest)) from None
        return manifest, digest

    def _describe_full_disk(self, source: Path, manifest: Manifest) -> str:
        size = sum((source / name).stat().st_size for name in (MANIFEST, *manifest.files))
        free = shutil.disk_usage(self.path).free if self.path.exists() else 0
        return (
            f"the disk of {self.path} is full: the bundle takes {size / 1000:,.0f} kB, and "
            f"{free / 1000:,.0f} kB are free; free some space, for example of old files below "
            f"{self.path / 'log'}; what is served is unchanged"
        )

    def keep_only(self, digests: Iterable[str]) -> None:
        """Remove all bundles but these; manifests stay."""
        remove_unreferenced(self.path / "bundles", set(digests))

    def _manifest_path(self, digest: str) -> Path:
        return self.path / "manifests" / f"{digest}.json"
