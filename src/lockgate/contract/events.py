"""Events that are sent to listeners."""

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
        Name of the model that the pipeline trains.
    seconds : float or None
        Duration of the stage; None when it begins.
    error : str or None
        The error as one line, if it failed.
    metrics : mapping of str to float
        Metrics that the stage measured, if any.

    """

    stage: str
    project: str
    seconds: float | None = None
    error: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Registration:
    """A bundle was registered as a version."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True)
class Promotion:
    """A version was promoted to a stage, e.g. ``prod``."""

    name: str
    version: str
    stage: str
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Rollback:
    """A stage was rolled back to an earlier version."""

    name: str
    version: str
    stage: str
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Alarm:
    """A monitor raised an alarm."""

    name: str
    monitor: str
    column: str
    message: str
    effect: float = 0.0
