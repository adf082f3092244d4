"""The hooks of listeners: events, which are sent to every installed listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from lockgate.contract.events import Alarm, Promotion, Registration, Rollback, StageEvent

__all__ = ["Events"]

hookspec = pluggy.HookspecMarker("lockgate")


class Events:
    """What listeners receive. An error in a listener stops no stage and no other listener."""

    @hookspec
    def before_stage(self, event: StageEvent) -> None:
        """Called when a stage begins."""

    @hookspec
    def after_stage(self, event: StageEvent) -> None:
        """Called when a stage has ended, with or without an error."""

    @hookspec
    def on_registered(self, event: Registration) -> None:
        """Called when a bundle was registered as a version."""

    @hookspec
    def on_promoted(self, event: Promotion) -> None:
        """Called when a version was promoted to a stage."""

    @hookspec
    def on_rolled_back(self, event: Rollback) -> None:
        """Called when a stage was rolled back to an earlier version."""

    @hookspec
    def on_alarm(self, event: Alarm) -> None:
        """Called when a monitor raised an alarm."""
