"""Names of stages."""

from __future__ import annotations

import difflib

from lockgate.contract.names import NAME, NAME_RULE
from lockgate.errors import UsageError
from lockgate.registry.provenance.events import VERSION

__all__ = ["check_stage_name", "is_similar"]

SIMILAR = 0.6
"""Similarity, as of `difflib`, from which an undeclared stage is taken for a misspelled name."""


def is_similar(stage: str, other: str) -> bool:
    """Whether a name may be meant as another: ``prod`` as ``production``, ``prdo``, ``Prod``."""
    ratio = difflib.SequenceMatcher(None, stage, other).ratio()
    return ratio >= SIMILAR or stage.startswith(other) or other.startswith(stage)


def check_stage_name(stage: str) -> None:
    """Raise a `UsageError` unless this can be the name of a stage."""
    hint = ""
    if not NAME.fullmatch(stage):
        parts = stage.replace(";", " ").split()
        hint = f"; separate names by commas: {','.join(parts)}" if len(parts) > 1 else ""
        raise UsageError(f"{stage[:80]!r} is not a name of a stage{hint}; allowed: {NAME_RULE}")
    if stage != stage.lower() or VERSION.fullmatch(stage):
        hint = f"; did you mean {stage.lower()!r}?" if stage != stage.lower() else ""
        raise UsageError(
            f"{stage!r} is not a name of a stage; expected lower case, so that no gate is missed "
            f"by its spelling, and not a version{hint}"
        )
