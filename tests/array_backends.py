"""The array backends that tests compute on: array-api-strict, and CuPy where a GPU is at hand."""

import array_api_strict
import numpy as np
import pytest

from lockgate import Backend, BackendUnavailable
from lockgate.builtin.backends.cupy import Cupy
from lockgate.contract.requests import numpy_backend

__all__ = ["STRICT", "backend_or_skip", "other_backends"]

STRICT = Backend("strict", array_api_strict, array_api_strict.asarray, np.asarray)
"""Proves that code for arrays assumes nothing of NumPy."""


def backend_or_skip(name: str) -> Backend:
    """Return a backend by its name; the test is skipped where CuPy finds no device."""
    if name == "cupy":
        try:
            return Cupy().arrays()
        except BackendUnavailable as reason:
            pytest.skip(f"no CUDA device here: {reason}")
    return STRICT if name == "strict" else numpy_backend()


def other_backends() -> list[Backend]:
    """Return the backends beside NumPy that work on this machine."""
    try:
        return [STRICT, Cupy().arrays()]
    except BackendUnavailable:
        return [STRICT]
