"""Bearer tokens of clients, kept as digests in a file that may change while the server runs."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from pathlib import Path

from lockgate.errors import ServingError, UsageError
from lockgate.serving.http.messages import HTTPError
from lockgate.serving.http.routing import Route

__all__ = ["ROLES", "Tokens", "add_token"]

log = logging.getLogger("lockgate.serve")

ROLES = ("predict", "feedback", "read", "admin")
"""Roles of a token; `admin` includes all others."""

LINE = re.compile(
    r"(?P<name>[\w.@-]{1,64})\s+(?P<roles>[a-z]+(,[a-z]+)*)\s+(?P<digest>[0-9a-f]{64})"
)
MAX_BYTES = 1 << 20


class Tokens:
    """The tokens of a file.

    A line is ``NAME ROLE[,ROLE...] SHA256``; the token itself is nowhere. Its 256
    random bits need no slow digest. Every comparison looks at all lines, each in
    constant time.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    ServingError
        If it cannot be read, or a line makes no sense.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fingerprint: object = None
        self._known: list[tuple[bytes, str, frozenset[str]]] = []
        self._fingerprint = _fingerprint(
            path
        )  # before reading: a change between the two is seen later
        self._known = _read(path)

    def refresh(self) -> None:
        """Read the file again if it changed; invalid lines are skipped and logged."""
        fingerprint = _fingerprint(self.path)
        if fingerprint == self._fingerprint:
            return
        self._fingerprint = fingerprint
        try:
            self._known = _read(self.path, strict=False)
        except ServingError as error:
            log.error("every request is refused until the tokens can be read: %s", error)
            self._known = []
        log.info("%d tokens read", len(self._known))

    def admit(self, authorization: bytes | None, route: Route | None) -> str:
        """Return the name of the token, if it may use this route.

        Raises
        ------
        HTTPError
            401 without a known token, 403 with one that lacks the role.

        """
        if route is not None and not route.role:
            return ""
        scheme, _, token = (authorization or b"").partition(b" ")
        token_digest = hashlib.sha256(token.strip()).digest()
        name, roles = "", frozenset[str]()
        for digest, token_name, token_roles in self._known:
            if hmac.compare_digest(digest, token_digest):
                name, roles = token_name, token_roles
        if not name or scheme.lower() != b"bearer":
            raise HTTPError(
                401, "a bearer token is needed", headers={b"www-authenticate": b"Bearer"}
            )
        if route is not None and route.role not in roles and "admin" not in roles:
            raise HTTPError(403, f"this token has no role {route.role}")
        return name


def add_token(path: Path, name: str, roles: tuple[str, ...]) -> str:
    """Add a token to a file, made if need be, and return it; it can never be shown again."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise UsageError(f"no role {', '.join(unknown)}; there are {', '.join(ROLES)}")
    token = secrets.token_urlsafe(32)
    line = f"{name} {','.join(roles)} {hashlib.sha256(token.encode()).hexdigest()}"
    if LINE.fullmatch(line) is None:
        raise UsageError(f"{name[:80]!r} is not a valid name; allowed: letters, digits and . _ @ -")
    if path.exists():
        _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("a+b") as file:
        file.seek(0)
        needs_newline = bool(text := file.read()) and not text.endswith(b"\n")
        file.write((b"\n" if needs_newline else b"") + line.encode() + b"\n")
    return token


def _fingerprint(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _read(path: Path, *, strict: bool = True) -> list[tuple[bytes, str, frozenset[str]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ServingError(f"{path} is larger than {MAX_BYTES} bytes; expected a token file")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ServingError(f"the tokens cannot be read: {error}") from None
    known = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        roles = frozenset(match["roles"].split(",")) if match else frozenset()
        if match is None or not roles <= set(ROLES):
            problem = ServingError(
                f"{path}, line {number}: expected NAME ROLE[,ROLE...] SHA256, "
                f"roles from {', '.join(ROLES)}; `lockgate server token` writes such lines"
            )
            if strict:
                raise problem
            log.error("%s", problem)
            continue
        known.append((bytes.fromhex(match["digest"]), match["name"], roles))
    if not known and strict:
        raise ServingError(
            f"{path} holds no token; lockgate server token NAME --file {path} makes one"
        )
    return known
