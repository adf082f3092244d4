"""Parameters and order of a query, for every loader that runs one."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import lockgate

if TYPE_CHECKING:
    from logging import Logger

__all__ = ["is_ordered", "query_values", "warn_unordered"]

EARLIEST, LATEST = datetime.date(1, 1, 1), datetime.date(9999, 12, 31)
"""What ``since`` and ``until`` are where the request has no such date."""


def query_values(
    loader: str,
    names: Collection[str],
    parameters: Mapping[str, str | float | bool],
    request: lockgate.LoadRequest,
    *,
    mark: str,
) -> dict[str, Any]:
    """Return the value of every parameter that a query names.

    Parameters
    ----------
    loader : str
        Name of the loader, for errors.
    names : collection of str
        Parameters that the query names.
    parameters : mapping
        Values from the settings; they replace the dates of the request.
    request : LoadRequest
        Its dates are the values of ``since`` and ``until``.
    mark : str
        What stands before a parameter in the query.

    Raises
    ------
    lockgate.UsageError
        If a parameter has no value, or a value no parameter.

    """
    if unused := sorted(set(parameters) - set(names)):
        raise lockgate.UsageError(
            f"loader.{loader}.parameters: the query has no parameter {mark}{unused[0]}; it has "
            f"{', '.join(mark + name for name in sorted(names)) or 'none'}"
        )
    known = {
        "since": _as_date(request.since, EARLIEST),
        "until": _as_date(request.until, LATEST),
        **parameters,
    }
    if missing := sorted(set(names) - set(known)):
        raise lockgate.UsageError(
            f"loader.{loader}.query names {mark}{missing[0]}, which has no value; give it a value: "
            f"'loader.{loader}.parameters={{{missing[0]}: ...}}'"
        )
    return {name: known[name] for name in sorted(names)}


def is_ordered(query: str) -> bool:
    """Whether the rows of a query have an order of their own."""
    return bool(re.search(r"\border\s+by\b", _without_brackets(query), re.IGNORECASE))


def warn_unordered(subject: str, log: Logger) -> None:
    """Warn that the rows of a query or a table may come in another order next time."""
    log.warning(
        "%s has no order (ORDER BY, or a primary key): if the database returns the rows in "
        "another order, they are split differently",
        subject,
    )


def _as_date(value: str | None, otherwise: datetime.date) -> datetime.date:
    return otherwise if value is None else datetime.date.fromisoformat(value[:10])


def _without_brackets(query: str) -> str:
    """Return a query without its bracketed parts: an order within them is of the part alone."""
    shorter = re.sub(r"\([^()]*\)", " ", query)
    return query if shorter == query else _without_brackets(shorter)
