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
from lockgate.registry.provenance.sshsig import InvalidSignature, verify_signature

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
        return any(fnmatch.fnmatchcase(email, pattern) for pattern in self.principal.split(","))

    def may(self, event: Event) -> bool:
        """Whether it may sign such an event."""
        if self.roles is None:
            return True
        accepted_roles = {event.op, f"{event.op}:{event.stage}"}
        if event.op in ("rollback", "retire") and event.stage:
            # whoever may put a version somewhere may also take it away
            accepted_roles |= {"promote", f"promote:{event.stage}"}
        return bool(accepted_roles & set(self.roles))


@dataclass(frozen=True)
class Signers:
    """All keys of a file.

    Attributes
    ----------
    entries : tuple of Signer
        In the order of the file.

    """

    entries: tuple[Signer, ...]

    @classmethod
    def parse(cls, text: str, source: str = "allowed_signers") -> Signers:
        """Read the file.

        Raises
        ------
        LedgerError
            Naming the first line that cannot be read.

        """
        signers = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                try:
                    signers.append(_parse_signer(line))
                except (ValueError, binascii.Error) as error:
                    raise LedgerError(f"{source}, line {number}: {error}") from None
        return cls(tuple(signers))

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
        key = verify_signature(commit.payload, commit.signature)
        matching = [signer for signer in self.entries if signer.key == key]
        if not matching:
            raise InvalidSignature("it is signed with a key that is not among the allowed signers")
        dates = [commit.person.date, *([] if now is None else [now])]
        valid = [signer for signer in matching if all(signer.holds(date) for date in dates)]
        if not valid:
            raise InvalidSignature(f"the key of {matching[0].principal} was not valid at its date")
        email = commit.person.email
        valid = [signer for signer in valid if signer.is_called(email)]
        if not valid or event.actor != f"{commit.person.name} <{email}>":
            raise InvalidSignature(
                f"{matching[0].principal} signed what {event.actor} is said to have done"
            )
        authorized = [signer for signer in valid if signer.may(event)]
        if not authorized:
            roles = ", ".join(valid[0].roles or ())
            operation = event.op + (f" in {event.stage}" if event.stage else "")
            raise InvalidSignature(
                f"{valid[0].principal} may not {operation}; their roles: {roles}"
            )
        return authorized[0]


def _parse_signer(line: str) -> Signer:
    """Read ``principals [options] type base64 [comment]`` (ssh-keygen(1), ALLOWED SIGNERS)."""
    tokens = re.findall(r'(?:[^\s"]|"[^"]*")+', line)
    key_index = next((index for index, _ in enumerate(tokens) if _is_key_at(tokens, index)), None)
    if key_index not in (1, 2):
        raise ValueError("expected: whose [options] type key [roles=...]")
    options = dict(_parse_options(tokens[1])) if key_index == 2 else {}
    namespaces = options.pop("namespaces", "git").split(",")
    if not any(fnmatch.fnmatchcase("git", pattern) for pattern in namespaces):
        raise ValueError(f'the key is for {", ".join(namespaces)}, expected namespaces="git"')
    since, until = (
        _parse_time(options.pop(option, None)) for option in ("valid-after", "valid-before")
    )
    if options:
        raise ValueError(f"the option {next(iter(options))} is not known here")
    return Signer(
        tokens[0],
        base64.b64decode(tokens[key_index + 1]),
        _parse_roles(tokens[key_index + 2 :]),
        since,
        until,
    )


def _is_key_at(tokens: list[str], index: int) -> bool:
    """Whether a type and a key of that type stand at this place."""
    if index + 1 >= len(tokens):
        return False
    try:
        raw = base64.b64decode(tokens[index + 1], validate=True)
    except (binascii.Error, ValueError):
        return False
    size = int.from_bytes(raw[:4], "big")
    return raw[4 : 4 + size] == tokens[index].encode()


def _parse_options(text: str) -> list[tuple[str, str]]:
    options = [(m[1], m[2] if m[2] is not None else m[3] or "") for m in OPTION.finditer(text)]
    if not options or "".join(m[0] for m in OPTION.finditer(text)) != text:
        raise ValueError(f"the options {text[:80]} cannot be read")
    return options


def _parse_roles(tokens: list[str]) -> tuple[str, ...] | None:
    role_lists = [token.removeprefix("roles=") for token in tokens if token.startswith("roles=")]
    invalid = [token for token in tokens if "=" in token and not token.startswith("roles=")]
    if invalid or len(role_lists) > 1:
        raise ValueError(f"expected roles=... once after the key, found {' '.join(tokens)[:80]}")
    if not role_lists:
        return None
    roles = tuple(entry for entry in role_lists[0].split(",") if entry)
    for entry in roles:
        role, _, stage = entry.partition(":")
        if role not in ROLES or (":" in entry and not NAME.fullmatch(stage)):
            raise ValueError(
                f"no role {entry[:80]!r}; there are {', '.join(ROLES)}, and e.g. promote:prod"
            )
    return roles


def _parse_time(text: str | None) -> int | None:
    """Read OpenSSH's ``YYYYMMDD[HHMM[SS]][Z]``; times of a file are taken as UTC."""
    if text is None:
        return None
    digits = text.rstrip("Z")
    forms = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if len(digits) not in forms:
        raise ValueError(f"{text[:40]} is no time; expected YYYYMMDD or YYYYMMDDHHMMSS")
    return int(datetime.strptime(digits, forms[len(digits)]).replace(tzinfo=UTC).timestamp())
