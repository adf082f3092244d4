"""Names of models and stages."""

from __future__ import annotations

import re

__all__ = ["NAME", "NAME_RULE"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
"""Names that a ledger, a URL and a file system take."""

NAME_RULE = "1 to 64 letters and digits, and . _ + - after the first"
