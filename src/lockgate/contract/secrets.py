"""Secrets of plugins: a configuration names an environment variable, and never holds the value."""

from __future__ import annotations

import json
import os
import re
from urllib.parse import quote, quote_plus

from lockgate.errors import UsageError

__all__ = ["Secret", "hide_secrets"]

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
MIN_HIDDEN = 4
"""Length from which a value is hidden in messages; shorter ones are parts of other words."""

_values: set[str] = set()
"""Values that were read by this process."""


class Secret:
    """The name of an environment variable with a secret, e.g. a password.

    A setting of this type takes the name; the value is read when the plugin calls `read`, so that
    no file, log or message of lockgate has it. Where an error or a log message of the plugin
    contains it, it is replaced by ``***``.

    Parameters
    ----------
    variable : str
        Name of the environment variable.

    Notes
    -----
    A setting of this type, and its use::

        password: lockgate.Secret = lockgate.setting(
            lockgate.Secret("WAREHOUSE_PASSWORD"), help="variable with the password"
        )

        @lockgate.hookimpl
        def load(self, request):
            return connect(self.password.read())

    """

    __slots__ = ("variable",)

    def __init__(self, variable: str) -> None:
        if not isinstance(variable, str) or not VARIABLE.fullmatch(variable):
            # the value may be the secret itself: it is not shown
            raise ValueError("expected the name of an environment variable, e.g. TEAM_PASSWORD")
        self.variable = variable

    def read(self) -> str:
        """Return the secret.

        Raises
        ------
        UsageError
            If the variable is not set, or empty.

        """
        value = os.environ.get(self.variable, "")
        if not value:
            raise UsageError(f"the environment variable {self.variable} is not set")
        if len(value) >= MIN_HIDDEN:
            _values.add(value)
        return value

    def __eq__(self, other: object) -> bool:
        """Return whether both name the same variable."""
        return isinstance(other, Secret) and other.variable == self.variable

    def __hash__(self) -> int:
        """Return a hash of the name."""
        return hash(self.variable)

    def __str__(self) -> str:
        """Return the name of the variable."""
        return self.variable

    def __repr__(self) -> str:
        """Show the name of the variable."""
        return f"Secret({self.variable!r})"


def hide_secrets(text: str) -> str:
    """Replace the values of all secrets that were read by ``***``."""
    if not _values:
        return text
    forms = {form for value in _values for form in _forms(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _forms(value: str) -> set[str]:
    """Return a value as messages may have it: plain, in a URL, in JSON, with blanks joined."""
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    return {value, " ".join(value.split()), json.dumps(value)[1:-1], repr(value)[1:-1], *quoted}
