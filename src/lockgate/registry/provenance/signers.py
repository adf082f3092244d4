"""Allowed signers: OpenSSH's file, with roles in the comment of each key.

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

from lockgate.contract.names import NAME
from lockgate.errors import LedgerError
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.sshsig import InvalidSignature, verify_signature

__all__ = ["Signer", "Signers"]

ROLES = ("register", "gate", "promote", "rollback", "retire", "attest")
OPTION = re.compile(r'([a-z-]+)(?:=(?:"([^"]*)"|([^",\s]*)))?(?:,|$)')


@dataclass(frozen=True)
class Signer:
    """A key, and the events that it may sign.

    Attributes
    ----------
    principal : str
        Address of its owner, or a list of patterns.
    key : bytes
        The public key in SSH's wire format.
    roles : tuple of str or None
        Operations that it may sign, e.g. ``promote:prod``; None for all.
    since, until : int or None
        Seconds since 1970 between which it is valid.

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
        """Whether an address matches the principal, which may be a list of patterns."""
        return any(fnmatch.fnmatchcase(email, pattern) for pattern in self.principal.split(","))

    def may(self, event: Event) -> bool:
        """Whether it may sign such an event."""
        if self.roles is None:
            return True
        accepted_roles = {event.op, f"{event.op}:{event.stage}"}
        if event.op in ("rollback", "retire") and event.stage:
            # who may promote a version to a stage may also remove it from there
            accepted_roles |= {"promote", f"promote:{event.stage}"}
        return bool(accepted_roles & set(self.roles))


@dataclass(frozen=True)
class Signers:
    """The allowed signers of a file.

    Attributes
    ----------
    entries : tuple of Signer
        The keys, in the order of the file.

    """

    entries: tuple[Signer, ...]

    @classmethod
    def parse(cls, text: str, source: str = "allowed_signers") -> Signers:
        """Read the file.

        Raises
        ------
        LedgerError
            If a line cannot be read; the message names the first.

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
        """Return the signer of an event, if they are allowed to sign it.

        Parameters
        ----------
        commit : Commit
            The signed commit.
        event : Event
            Its event.
        now : float, optional
            Seconds since 1970 at which the key must be valid, besides the commit's date.

        Raises
        ------
        InvalidSignature
            If they are not; the message gives the reason.

        """
        if not commit.signature:
            raise InvalidSignature("it is not signed")
        key = verify_signature(commit.payload, commit.signature)
        matching = [signer for signer in self.entries if signer.key == key]
        if not matching:
            raise InvalidSignature("it is signed with a key that is not among the allowed signers")
        # the author chose the commit's date: an expired key could sign with an earlier one
        dates = [commit.person.date, *([] if now is None else [now])]
        valid = [signer for signer in matching if all(signer.holds(date) for date in dates)]
        if not valid:
            raise InvalidSignature(f"the key of {matching[0].principal} was not valid at its date")
        email = commit.person.email
        valid = [signer for signer in valid if signer.is_called(email)]
        if not valid or event.actor != f"{commit.person.name} <{email}>":
            raise InvalidSignature(
                f"{matching[0].principal} signed an event of another actor, {event.actor}"
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
        raise ValueError("expected: principals [options] type key [roles=...]")
    options = dict(_parse_options(tokens[1])) if key_index == 2 else {}
    namespaces = options.pop("namespaces", "git").split(",")
    if not any(fnmatch.fnmatchcase("git", pattern) for pattern in namespaces):
        raise ValueError(f'expected namespaces="git", got {", ".join(namespaces)}')
    since, until = (
        _parse_time(options.pop(option, None)) for option in ("valid-after", "valid-before")
    )
    if options:
        raise ValueError(f"unsupported option {next(iter(options))}")
    return Signer(
        tokens[0],
        base64.b64decode(tokens[key_index + 1]),
        _parse_roles(tokens[key_index + 2 :]),
        since,
        until,
    )


def _is_key_at(tokens: list[str], index: int) -> bool:
    """Whether a key type and a key of that type begin at an index."""
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
        raise ValueError(f"expected roles=... once after the key, got {' '.join(tokens)[:80]}")
    if not role_lists:
        return None
    roles = tuple(entry for entry in role_lists[0].split(",") if entry)
    for entry in roles:
        role, _, stage = entry.partition(":")
        if role not in ROLES or (":" in entry and not NAME.fullmatch(stage)):
            raise ValueError(
                f"unknown role {entry[:80]!r}; available: {', '.join(ROLES)}, and e.g. promote:prod"
            )
    return roles


def _parse_time(text: str | None) -> int | None:
    """Read OpenSSH's ``YYYYMMDD[HHMM[SS]][Z]``, always as UTC."""
    if text is None:
        return None
    digits = text.rstrip("Z")
    forms = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if len(digits) not in forms:
        raise ValueError(f"{text[:40]} is not a time; expected YYYYMMDD or YYYYMMDDHHMMSS")
    return int(datetime.strptime(digits, forms[len(digits)]).replace(tzinfo=UTC).timestamp())
