"""A worker as its supervisor sees it."""

from __future__ import annotations

import time

from lockgate.serving.channel import Channel

__all__ = ["Child"]


class Child:
    """A worker.

    Attributes
    ----------
    slot, pid : int
        Which one, and its process.
    channel : Channel
        Where it is told things, and tells them.
    seq : int
        Event of the deployment directory that it follows.
    serving : bool
        Whether it answers.
    born, heard : float
        When it was started, and when it last said something.
    why : str
        What it said before it ended.
    behind : bool
        Whether it was started just before a switch, and was told what it missed.

    """

    def __init__(self, slot: int, pid: int, channel: Channel, seq: int) -> None:
        self.slot, self.pid, self.channel, self.seq = slot, pid, channel, seq
        self.serving = False
        self.born = self.heard = time.monotonic()
        self.why = ""
        self.behind = False
