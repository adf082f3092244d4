"""Arrays that a thread reuses: allocating memory for every block of rows costs more."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["Buffers"]


class Buffers(threading.local):
    """Arrays of a thread by name, replaced when a larger one is requested."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def get(self, name: str, dtype: DTypeLike, rows: int, columns: int) -> np.ndarray:
        """Return an array of shape (rows, columns), its content undefined."""
        array = self.arrays.get(name)
        if array is None or array.size < rows * columns:
            array = self.arrays[name] = np.empty(rows * columns, dtype)
        return array[: rows * columns].reshape(rows, columns)
