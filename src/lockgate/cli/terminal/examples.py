"""Examples below the help of a command."""

from __future__ import annotations

__all__ = ["examples"]


def examples(text: str) -> str:
    r"""Return an epilog for click that keeps the lines of `text` as they are.

    Examples
    --------
    >>> examples("lockgate run")
    '\x08\nExamples:\n  lockgate run'

    """
    lines = [line.strip() for line in text.strip().splitlines()]
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
