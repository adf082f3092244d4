"""Options that set something by name: NAME=VALUE."""

from __future__ import annotations

from lockgate.errors import UsageError

__all__ = ["split_setting"]


def split_setting(text: str, option: str = "--set") -> tuple[str, str]:
    """Return name and value of NAME=VALUE.

    Raises
    ------
    UsageError
        If the text has no name or no equals sign.

    """
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UsageError(f"{option} {text!r}: expected NAME=VALUE")
    return name, value
