"""A Git commit as bytes: read, written, and what of it is signed."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Commit", "InvalidCommit", "Person"]

PERSON = re.compile(rb"(.*) <([^<>\n]*)> (\d{1,12}) ([+-]\d{4})", re.DOTALL)


class InvalidCommit(ValueError):
    """Bytes that are no commit of the form that a ledger holds."""


@dataclass(frozen=True)
class Person:
    """Who made a commit, and when.

    Attributes
    ----------
    name, email : str
        As Git knows them.
    date : int
        Seconds since 1970, UTC.

    """

    name: str
    email: str
    date: int

    def encode(self) -> bytes:
        """Return the line that Git writes."""
        return f"{self.name} <{self.email}> {self.date} +0000".encode()


@dataclass(frozen=True)
class Commit:
    """A commit with at most one parent.

    Attributes
    ----------
    tree : str
        Its tree's object id.
    parent : str or None
        The commit before.
    person : Person
        Author and committer.
    message : str
        All of it.
    signature : bytes
        Armored SSH signature of `payload`; empty without.

    """

    tree: str
    parent: str | None
    person: Person
    message: str
    signature: bytes = b""

    @property
    def payload(self) -> bytes:
        """The commit without its signature: what is signed."""
        return b"\n".join([*self._head(), b"", self.message.encode()])

    def encode(self) -> bytes:
        """Return the commit as Git stores it."""
        head = self._head()
        if self.signature:
            lines = self.signature.strip().splitlines()
            head.append(b"gpgsig " + b"\n ".join(lines))
        return b"\n".join([*head, b"", self.message.encode()])

    def _head(self) -> list[bytes]:
        parents = [f"parent {self.parent}".encode()] if self.parent else []
        person = self.person.encode()
        tree = f"tree {self.tree}".encode()
        return [tree, *parents, b"author " + person, b"committer " + person]

    @classmethod
    def decode(cls, raw: bytes) -> Commit:
        """Read a commit; only the very form that `encode` writes is accepted.

        Raises
        ------
        BadCommit
            If it has other headers, several parents, or other bytes.

        """
        try:
            head, message = raw.split(b"\n\n", 1)
            fields = [line.split(b" ", 1) for line in head.replace(b"\n ", b"\0").split(b"\n")]
            headers = {field[0]: field[1] for field in fields}
            match = PERSON.fullmatch(headers[b"committer"])
            if match is None:
                raise InvalidCommit("its committer is not as lockgate writes it")
            person = Person(match[1].decode(), match[2].decode(), int(match[3]))
            signature = headers.get(b"gpgsig", b"").replace(b"\0", b"\n")
            parent = headers[b"parent"].decode() if b"parent" in headers else None
            commit = cls(headers[b"tree"].decode(), parent, person, message.decode(), signature)
        except (KeyError, ValueError) as error:
            raise InvalidCommit(f"it is no commit of a ledger: {error}") from None
        if commit.encode() != raw:
            raise InvalidCommit("it is not as lockgate writes it")
        return commit
