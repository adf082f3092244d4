"""Git trees, read and changed without a work tree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lockgate.errors import LedgerTampered

__all__ = ["EXECUTABLE", "FILE", "FOLDER", "Entry", "Trees", "object_id"]

FOLDER, FILE, EXECUTABLE = "40000", "100644", "100755"
"""Modes of entries, as Git writes them."""


class Entry(NamedTuple):
    """A line of a tree."""

    mode: str
    oid: str


def object_id(kind: str, content: bytes, *, length: int = 40) -> str:
    """Return the id of an object, as Git computes it."""
    algorithm = hashlib.sha256 if length == 64 else hashlib.sha1  # as Git chose
    return algorithm(f"{kind} {len(content)}\0".encode() + content).hexdigest()


class Trees:
    """Reads and changes trees through functions that read and write objects.

    Parameters
    ----------
    read : callable
        From an object's id to its type and content.
    write : callable
        From type and content to an id.

    """

    def __init__(
        self, read: Callable[[str], tuple[str, bytes]], write: Callable[[str, bytes], str]
    ) -> None:
        self.read, self.write = read, write

    def entries(self, tree: str | None) -> dict[str, Entry]:
        """Return a folder's entries by name."""
        if tree is None:
            return {}
        kind, raw = self.read(tree)
        if kind != "tree":
            raise LedgerTampered(f"{tree} is a {kind}, expected a tree")
        size = len(tree) // 2
        entries, offset = {}, 0
        while offset < len(raw):
            # an entry is its mode, a space, its name, a NUL and the binary object id
            end = raw.index(b"\0", offset)
            mode, name = raw[offset:end].decode("utf-8", "replace").split(" ", 1)
            offset = end + 1 + size
            entries[name] = Entry(mode, raw[end + 1 : offset].hex())
        return entries

    def file(self, tree: str | None, path: str) -> bytes | None:
        """Return a file's content, or None if there is none."""
        folder, _, name = path.rpartition("/")
        entry = self.entries(self.folder(tree, folder)).get(name)
        if entry is None or entry.mode != FILE:
            return None
        kind, content = self.read(entry.oid)
        return content if kind == "blob" else None

    def folder(self, tree: str | None, path: str) -> str | None:
        """Return the id of a folder below a tree."""
        for name in path.split("/") if path else ():
            entry = self.entries(tree).get(name)
            if entry is None or entry.mode != FOLDER:
                return None
            tree = entry.oid
        return tree

    def check(self, tree: str | None) -> None:
        """Read everything below a tree.

        Raises
        ------
        LedgerError
            If an object is missing or damaged.

        """
        for entry in self.entries(tree).values():
            if entry.mode == FOLDER:
                self.check(entry.oid)
            else:
                self.read(entry.oid)

    def apply_changes(self, tree: str | None, changes: Mapping[str, bytes | None]) -> str:
        """Return the id of a tree with files written, or removed where the content is None."""
        entries = self.entries(tree)
        below: dict[str, dict[str, bytes | None]] = {}
        for path, content in changes.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = content
            elif content is None:
                entries.pop(name, None)
            else:
                entries[name] = Entry(FILE, self.write("blob", content))
        for name, inner in below.items():
            old = entries.get(name)
            subtree = self.apply_changes(old.oid if old and old.mode == FOLDER else None, inner)
            if self.entries(subtree):
                entries[name] = Entry(FOLDER, subtree)
            else:
                entries.pop(name, None)
        return self.write("tree", _encode(entries))


def _encode(entries: Mapping[str, Entry]) -> bytes:
    # Git sorts folders as if their names ended with a slash
    order = sorted(entries, key=lambda name: name.encode() + b"/" * (entries[name].mode == FOLDER))
    return b"".join(
        f"{entries[name].mode} {name}\0".encode() + bytes.fromhex(entries[name].oid)
        for name in order
    )
