"""What a worker has opened and does not serve yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Handover"]

T = TypeVar("T")


@dataclass
class Handover(Generic[T]):
    """The last generation that a worker was told to open, and the last that it has opened.

    Attributes
    ----------
    wanted : int
        Generation that it was told to open; 0 for none.
    generation : int
        Generation of `opened`.
    opened : object or None
        What it has opened.

    """

    wanted: int = 0
    generation: int = 0
    opened: T | None = None

    def prepare(self, generation: int) -> None:
        """Note that a generation is to be opened, instead of any before."""
        self.wanted = generation

    def on_opened(self, generation: int, opened: T) -> bool:
        """Keep what was opened; return False if another generation has been asked for since."""
        if generation != self.wanted:
            return False
        self.generation, self.opened = generation, opened
        return True

    def take(self, generation: int) -> T | None:
        """Return what was opened, to be served; None if it is not of this generation."""
        if generation != self.generation:
            return None
        opened, self.opened = self.opened, None
        return opened
