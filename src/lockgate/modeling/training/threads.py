"""Limits on the threads of numerical libraries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits

__all__ = ["limit_threads"]


@contextlib.contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Limit the threads of numerical libraries.

    BLAS gets a single thread: with more, the last digits of some linear models vary
    from run to run. OpenMP, which grows trees, gives equal trees with any number.
    """
    with threadpool_limits(limits={"blas": 1, "openmp": threads}):
        yield
