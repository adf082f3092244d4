"""Who may ask: bearer tokens, kept as digests in a file that may change while the server runs."""

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

__all__ = ["ROLES", "Tokens", "new_token"]

log = logging.getLogger("lockgate.serve")

ROLES = ("predict", "feedback", "read", "admin")
"""What a token may do; `admin` may do everything."""

LINE = re.compile(
    r"(?P<name>[\w.@-]{1,64})\s+(?P<roles>[a-z]+(,[a-z]+)*)\s+(?P<digest>[0-9a-f]{64})"
)
LARGEST = 1 << 20


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
        self._mark: object = None
        self._known: list[tuple[bytes, str, frozenset[str]]] = []
        self._mark = _mark(path)  # before reading: a change between the two is seen later
        self._known = _read(path)

    def refresh(self) -> None:
        """Read the file again if it changed; lines that make no sense are left out."""
        mark = _mark(self.path)
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._known = _read(self.path, strict=False)
        except ServingError as error:
            log.error("nobody may ask until the tokens can be read again: %s", error)
            self._known = []
        log.info("%d tokens are known", len(self._known))

    def admit(self, authorization: bytes | None, route: Route | None) -> str:
        """Return the name of the token, if it may use this route.

        Raises
        ------
        Refusal
            401 without a known token, 403 with one that lacks the role.

        """
        if route is not None and not route.role:
            return ""
        scheme, _, token = (authorization or b"").partition(b" ")
        shown = hashlib.sha256(token.strip()).digest()
        name, roles = "", frozenset[str]()
        for digest, whose, may in self._known:
            if hmac.compare_digest(digest, shown):
                name, roles = whose, may
        if not name or scheme.lower() != b"bearer":
            raise HTTPError(
                401, "a bearer token is needed", headers={b"www-authenticate": b"Bearer"}
            )
        if route is not None and route.role not in roles and "admin" not in roles:
            raise HTTPError(403, f"this token has no role {route.role}")
        return name


def new_token(path: Path, name: str, roles: tuple[str, ...]) -> str:
    """Add a token to a file, made if need be, and return it; it can never be shown again."""
    strange = sorted(set(roles) - set(ROLES))
    if strange or not roles:
        raise UsageError(f"no role {', '.join(strange)}; there are {', '.join(ROLES)}")
    token = secrets.token_urlsafe(32)
    line = f"{name} {','.join(roles)} {hashlib.sha256(token.encode()).hexdigest()}"
    if LINE.fullmatch(line) is None:
        raise UsageError(f"{name[:80]!r} is no name; letters, digits and the signs . _ @ -")
    if path.exists():
        _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("a+b") as file:
        file.seek(0)
        glued = bool(text := file.read()) and not text.endswith(b"\n")
        file.write((b"\n" if glued else b"") + line.encode() + b"\n")
    return token


def _mark(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path, *, strict: bool = True) -> list[tuple[bytes, str, frozenset[str]]]:
    try:
        if path.stat().st_size > LARGEST:
            raise ServingError(f"{path} is larger than {LARGEST} bytes; that is no token file")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ServingError(f"the tokens cannot be read: {error}") from None
    known = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = LINE.fullmatch(line.strip())
        roles = frozenset(found["roles"].split(",")) if found else frozenset()
        if found is None or not roles <= set(ROLES):
            problem = ServingError(
                f"{path}, line {number}: expected NAME ROLE[,ROLE...] SHA256, "
                f"roles from {', '.join(ROLES)}; `lockgate token` writes such lines"
            )
            if strict:
                raise problem
            log.error("%s", problem)
            continue
        known.append((bytes.fromhex(found["digest"]), found["name"], roles))
    if not known and strict:
        raise ServingError(f"{path} holds no token; lockgate token NAME --file {path} makes one")
    return known
