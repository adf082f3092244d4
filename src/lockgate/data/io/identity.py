"""Name of the current user and the machine, for records."""

from __future__ import annotations

import getpass
import os

__all__ = ["current_user"]


def current_user() -> tuple[str, str]:
    """Return the names of the user and the machine; in a container the user may be a number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return user, os.uname().nodename
