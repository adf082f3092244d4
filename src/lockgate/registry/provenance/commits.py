"""Git commits as bytes: encoding, decoding, and the signed payload."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Commit", "InvalidCommit", "Person"]

PERSON = re.compile(rb"(.*) <([^<>\n]*)> (\d{1,12}) ([+-]\d{4})", re.DOTALL)


class InvalidCommit(ValueError):
    """Bytes that are not a commit as lockgate writes it."""


@dataclass(frozen=True)
class Person:
    """Author of a commit, and its date.

    Attributes
    ----------
    name, email : str
        Name and address, as in Git.
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
        Object id of its tree.
    parent : str or None
        Object id of the commit before.
    person : Person
        Author and committer.
    message : str
        The whole message.
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
        """Read a commit, exactly as `encode` writes it.

        Raises
        ------
        InvalidCommit
            If it has other headers, several parents, or other bytes.

        """
        try:
            head, message = raw.split(b"\n\n", 1)
            fields = [line.split(b" ", 1) for line in head.replace(b"\n ", b"\0").split(b"\n")]
            headers = {field[0]: field[1] for field in fields}
            match = PERSON.fullmatch(headers[b"committer"])
            if match is None:
                raise InvalidCommit("its committer does not have the expected form")
            person = Person(match[1].decode(), match[2].decode(), int(match[3]))
            signature = headers.get(b"gpgsig", b"").replace(b"\0", b"\n")
            parent = headers[b"parent"].decode() if b"parent" in headers else None
            commit = cls(headers[b"tree"].decode(), parent, person, message.decode(), signature)
        except (KeyError, ValueError) as error:
            raise InvalidCommit(f"it is not a commit of a ledger: {error}") from None
        if commit.encode() != raw:
            raise InvalidCommit("its bytes differ from those that lockgate writes")
        return commit
