"""Who is at work on this machine, for records."""

from __future__ import annotations

import getpass
import os

__all__ = ["current_user"]


def current_user() -> tuple[str, str]:
    """Return the user's name, or number where it has none (a container), and the machine's."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return user, os.uname().nodename
