"""What listeners are told; broadcast, without an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Alarm", "Promotion", "Registration", "Rollback", "StageEvent"]


@dataclass(frozen=True)
class StageEvent:
    """A stage begins or has ended.

    Attributes
    ----------
    stage : str
        Name of the stage.
    project : str
        Name of the model that the pipeline makes.
    seconds : float or None
        Time it took; None before it.
    error : str or None
        One line, if it failed.
    metrics : mapping of str to float
        Figures that the stage measured, if any.

    """

    stage: str
    project: str
    seconds: float | None = None
    error: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Registration:
    """A bundle became a version."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True)
class Promotion:
    """A version became the one of a stage, e.g. of ``prod``."""

    name: str
    version: str
    stage: str
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Rollback:
    """A stage went back to an earlier version."""

    name: str
    version: str
    stage: str
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Alarm:
    """A monitor found something that matters."""

    name: str
    monitor: str
    column: str
    message: str
    effect: float = 0.0
