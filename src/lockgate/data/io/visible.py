"""Text of others, such as a reason, as it can be shown on a terminal or a page."""

from __future__ import annotations

import unicodedata

from lockgate.data.io.digests import sha256_text

__all__ = ["visible"]

MAX_LENGTH = 400
"""Characters of a text that are shown, unless the caller sets another limit."""

JOINERS = "\u200c\u200d"
"""Invisible characters that some scripts and emoji are written with."""


def visible(text: str, *, limit: int | None = MAX_LENGTH) -> str:
    r"""Return text on one line without characters that change what a reader sees.

    Control characters (also those that clear a screen or set its title), marks that reverse the
    direction of writing, and ends of lines are written as escapes. A text that is longer than
    `limit` is cut, with its length and sha256.

    Examples
    --------
    >>> visible("größer\x1b[2J\n")
    'größer\\x1b[2J\\n'
    >>> visible("a" * 30, limit=5)
    'aaaaa... (30 characters, sha256 3a54fc0cbc0b)'

    """
    shown = text if limit is None else text[:limit]
    if not shown.isprintable():
        shown = "".join(map(_escape, shown))
    if len(shown) == len(text) or limit is None or len(text) <= limit:
        return shown
    digest = sha256_text(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    return f"{shown}... ({len(text):,} characters, sha256 {digest[:12]})"


def _escape(character: str) -> str:
    if character.isprintable() or character in JOINERS or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
