"""Who may sign what: OpenSSH's file of allowed signers, with roles in the comment of each key.

::

    alice@shop.example namespaces="git" ssh-ed25519 AAAAC3... roles=register,promote:staging
    ci@shop.example valid-before="20270101" ssh-ed25519 AAAAC3... roles=register,gate,attest
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from lockgate.errors import LedgerError
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import NAME, Event
from lockgate.registry.provenance.sshsig import InvalidSignature, signed_by

__all__ = ["Signer", "Signers"]

ROLES = ("register", "gate", "promote", "rollback", "retire", "attest")
OPTION = re.compile(r'([a-z-]+)(?:=(?:"([^"]*)"|([^",\s]*)))?(?:,|$)')


@dataclass(frozen=True)
class Signer:
    """A key, and what it is trusted with.

    Attributes
    ----------
    principal : str
        Whose it is.
    key : bytes
        In SSH's wire format.
    roles : tuple of str or None
        What it may sign, e.g. ``promote:prod``; None for everything.
    since, until : int or None
        Seconds since 1970 between which it holds.

    """

    principal: str
    key: bytes
    roles: tuple[str, ...] | None = None
    since: int | None = None
    until: int | None = None

    def holds(self, date: float) -> bool:
        """Whether the key is valid at a time."""
        return (self.since or 0) <= date and (self.until is None or date < self.until)

    def is_called(self, email: str) -> bool:
        """Whether an address is its owner's; a principal may be a list of patterns."""
        return any(fnmatch.fnmatchcase(email, one) for one in self.principal.split(","))

    def may(self, event: Event) -> bool:
        """Whether it may sign such an event."""
        if self.roles is None:
            return True
        wanted = {event.op, f"{event.op}:{event.stage}"}
        if event.op in ("rollback", "retire") and event.stage:
            # whoever may put a version somewhere may also take it away
            wanted |= {"promote", f"promote:{event.stage}"}
        return bool(wanted & set(self.roles))


@dataclass(frozen=True)
class Signers:
    """All keys of a file.

    Attributes
    ----------
    listed : tuple of Signer
        In the order of the file.

    """

    listed: tuple[Signer, ...]

    @classmethod
    def parse(cls, text: str, where: str = "allowed_signers") -> Signers:
        """Read the file.

        Raises
        ------
        LedgerError
            Naming the first line that cannot be read.

        """
        made = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                try:
                    made.append(_signer(line))
                except (ValueError, binascii.Error) as error:
                    raise LedgerError(f"{where}, line {number}: {error}") from None
        return cls(tuple(made))

    def check(self, commit: Commit, event: Event, *, now: float | None = None) -> Signer:
        """Return who signed an event, if they were allowed to.

        Parameters
        ----------
        commit, event : Commit, Event
            What was signed.
        now : float, optional
            Seconds since 1970 at which the key must hold as well.

        Raises
        ------
        BadSignature
            With the reason.

        """
        if not commit.signature:
            raise InvalidSignature("it is not signed")
        key = signed_by(commit.payload, commit.signature)
        found = [one for one in self.listed if one.key == key]
        if not found:
            raise InvalidSignature("it is signed with a key that is not among the allowed signers")
        dates = [commit.person.date, *([] if now is None else [now])]
        valid = [one for one in found if all(one.holds(date) for date in dates)]
        if not valid:
            raise InvalidSignature(f"the key of {found[0].principal} was not valid at its date")
        email = commit.person.email
        valid = [one for one in valid if one.is_called(email)]
        if not valid or event.actor != f"{commit.person.name} <{email}>":
            raise InvalidSignature(
                f"{found[0].principal} signed what {event.actor} is said to have done"
            )
        able = [one for one in valid if one.may(event)]
        if not able:
            roles = ", ".join(valid[0].roles or ())
            what = event.op + (f" in {event.stage}" if event.stage else "")
            raise InvalidSignature(f"{valid[0].principal} may not {what}; their roles: {roles}")
        return able[0]


def _signer(line: str) -> Signer:
    """Read ``principals [options] type base64 [comment]`` (ssh-keygen(1), ALLOWED SIGNERS)."""
    words = re.findall(r'(?:[^\s"]|"[^"]*")+', line)
    place = next((k for k, word in enumerate(words) if _key_at(words, k)), None)
    if place not in (1, 2):
        raise ValueError("expected: whose [options] type key [roles=...]")
    options = dict(_options(words[1])) if place == 2 else {}
    spaces = options.pop("namespaces", "git").split(",")
    if not any(fnmatch.fnmatchcase("git", one) for one in spaces):
        raise ValueError(f'the key is for {", ".join(spaces)}, expected namespaces="git"')
    since, until = (_seconds(options.pop(k, None)) for k in ("valid-after", "valid-before"))
    if options:
        raise ValueError(f"the option {next(iter(options))} is not known here")
    return Signer(
        words[0], base64.b64decode(words[place + 1]), _roles(words[place + 2 :]), since, until
    )


def _key_at(words: list[str], k: int) -> bool:
    """Whether a type and a key of that type stand at this place."""
    if k + 1 >= len(words):
        return False
    try:
        raw = base64.b64decode(words[k + 1], validate=True)
    except (binascii.Error, ValueError):
        return False
    size = int.from_bytes(raw[:4], "big")
    return raw[4 : 4 + size] == words[k].encode()


def _options(text: str) -> list[tuple[str, str]]:
    found = [(m[1], m[2] if m[2] is not None else m[3] or "") for m in OPTION.finditer(text)]
    if not found or "".join(m[0] for m in OPTION.finditer(text)) != text:
        raise ValueError(f"the options {text[:80]} cannot be read")
    return found


def _roles(words: list[str]) -> tuple[str, ...] | None:
    said = [one.removeprefix("roles=") for one in words if one.startswith("roles=")]
    wrong = [one for one in words if "=" in one and not one.startswith("roles=")]
    if wrong or len(said) > 1:
        raise ValueError(f"expected roles=... once after the key, found {' '.join(words)[:80]}")
    if not said:
        return None
    roles = tuple(one for one in said[0].split(",") if one)
    for one in roles:
        role, _, stage = one.partition(":")
        if role not in ROLES or (":" in one and not NAME.fullmatch(stage)):
            raise ValueError(
                f"no role {one[:80]!r}; there are {', '.join(ROLES)}, and e.g. promote:prod"
            )
    return roles


def _seconds(text: str | None) -> int | None:
    """Read OpenSSH's ``YYYYMMDD[HHMM[SS]][Z]``; times of a file are taken as UTC."""
    if text is None:
        return None
    digits = text.rstrip("Z")
    forms = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if len(digits) not in forms:
        raise ValueError(f"{text[:40]} is no time; expected YYYYMMDD or YYYYMMDDHHMMSS")
    return int(datetime.strptime(digits, forms[len(digits)]).replace(tzinfo=UTC).timestamp())
