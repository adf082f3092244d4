"""Arrays that a thread writes into again and again: asking for fresh memory costs more."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

__all__ = ["Buffers"]


class Buffers(threading.local):
    """Arrays of a thread by name, grown when a larger one is asked for."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def get(self, name: str, dtype: Any, rows: int, columns: int) -> np.ndarray:
        """Return an array of shape (rows, columns), its content undefined."""
        array = self.arrays.get(name)
        if array is None or array.size < rows * columns:
            array = self.arrays[name] = np.empty(rows * columns, dtype)
        return array[: rows * columns].reshape(rows, columns)
