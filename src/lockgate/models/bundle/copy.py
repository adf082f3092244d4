"""Copies and removes bundles atomically: a bundle is complete, or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

from lockgate.data.io.atomic import replace_directory
from lockgate.data.io.digests import sha256_file
from lockgate.errors import BundleError
from lockgate.models.bundle.manifest import MANIFEST, read_manifest, verify_files

__all__ = ["copy_bundle", "is_complete", "remove_unreferenced"]


def is_complete(folder: Path, digest: str) -> bool:
    """Return whether the folder is the bundle of that digest, with all its files."""
    try:
        verify_files(folder, read_manifest(folder))
        return sha256_file(folder / MANIFEST) == digest
    except (BundleError, OSError):
        return False


def copy_bundle(source: Path, target: Path, digest: str) -> None:
    """Copy a bundle, unless the target is already complete.

    Raises
    ------
    BundleError
        If the source is not complete, or is not the bundle of that digest.

    """
    if target.is_dir() and is_complete(target, digest):
        return
    manifest = read_manifest(source)
    verify_files(source, manifest)
    with replace_directory(target) as folder:
        for name in (MANIFEST, *manifest.files):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name, follow_symlinks=False)
        verify_files(folder, manifest)
        if sha256_file(folder / MANIFEST) != digest:
            raise BundleError(
                f"{source} is not the bundle {digest[:12]}, or changed while it was copied"
            )


def remove_unreferenced(directory: Path, referenced: Collection[str]) -> None:
    """Remove the bundles of a folder that are not referenced, each in one step."""
    for folder in directory.iterdir():
        if len(folder.name) == 64 and folder.name not in referenced:
            aside = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}.new")
            with contextlib.suppress(OSError):
                folder.rename(aside)
                shutil.rmtree(aside)
