"""One column that a model takes, as its file declares it."""

from __future__ import annotations

import msgspec

__all__ = ["ColumnInput"]


class ColumnInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column that the model asks for.

    Attributes
    ----------
    name : str
        Name of the column.
    kind : {"number", "integer", "boolean", "category", "date", "text"}
        What its cells hold.
    missing : {"allow", "refuse"}
        Whether a cell may be empty.
    unknown : {"ignore", "refuse"}
        Whether a category may be one that is not listed.
    categories : tuple of str
        Known categories, by code. Of numbers: the only ones allowed, where unknown is "refuse".

    """

    name: str
    kind: str
    missing: str = "allow"
    unknown: str = "ignore"
    categories: tuple[str, ...] = ()
