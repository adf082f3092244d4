"""The backend ``numpy``: arrays in host memory."""

from __future__ import annotations

import lockgate
from lockgate.contract.requests import numpy_backend

__all__ = ["Numpy"]


@lockgate.plugin
class Numpy:
    """Compute with NumPy on the CPU; always available."""

    @lockgate.hookimpl
    def arrays(self) -> lockgate.Backend:
        """Return NumPy."""
        return numpy_backend()
