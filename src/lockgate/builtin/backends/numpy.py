"""Backend `numpy`: arrays in host memory."""

from __future__ import annotations

import lockgate
from lockgate.contract.requests import numpy_backend

__all__ = ["Numpy"]


@lockgate.plugin
class Numpy:
    """NumPy on the processor; always there."""

    @lockgate.hookimpl
    def arrays(self) -> lockgate.Backend:
        """Offer NumPy."""
        return numpy_backend()
