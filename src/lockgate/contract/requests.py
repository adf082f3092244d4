"""What every request carries: seed, log, progress, scratch folder, backend, resources."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

    Columns = Mapping[str, ArrayLike] | pd.DataFrame


__all__ = ["Backend", "Item", "Progress", "Request", "Resources", "no_progress", "numpy_backend"]


Item = TypeVar("Item")


class Progress(Protocol):
    """Shows how far a long loop is: wrap what you iterate over."""

    def __call__(
        self, items: Iterable[Item], *, total: int | None = None, label: str = ""
    ) -> Iterable[Item]:
        """Yield the items unchanged and show how many have been yielded."""


def no_progress(
    items: Iterable[Item], *, total: int | None = None, label: str = ""
) -> Iterable[Item]:
    """Yield the items and show nothing; the default of a request."""
    return items


@dataclass(frozen=True)
class Resources:
    """Limits on the machine that a plugin must keep to.

    Attributes
    ----------
    threads : int
        Threads for numerical work, at least 1.
    memory_mb : int or None
        Memory limit in MiB; None without a limit.

    """

    threads: int = 1
    memory_mb: int | None = None


@dataclass(frozen=True)
class Backend:
    """An array library on a device.

    Attributes
    ----------
    name : str
        Name of the backend, e.g. ``numpy``.
    xp : module
        Namespace of the array API standard (2023.12 or later).
    asarray : callable
        Converts a NumPy array (or anything like one) to an array of this backend.
    to_numpy : callable
        Converts an array of this backend to a NumPy array in host memory.

    """

    name: str
    xp: Any
    asarray: Callable[[Any], Any]
    to_numpy: Callable[[Any], np.ndarray]

    def __deepcopy__(self, memo: dict[int, object]) -> Backend:
        """Return itself: modules cannot be copied, and estimators with a backend are."""
        return self


def numpy_backend() -> Backend:
    """Build the NumPy backend, the default of a request."""
    import numpy as np  # importing lockgate must not load it

    return Backend("numpy", np, np.asarray, np.asarray)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The fields that every request has.

    Attributes
    ----------
    seed : int
        Seed of all randomness; equal seeds must give equal results.
    log : logging.Logger
        Log for messages to the user of the pipeline.
    progress : Progress
        Wraps long loops: ``for x in request.progress(xs, label="trees")``.
    scratch : pathlib.Path or None
        An empty directory that is removed after the call.
    backend : Backend
        The chosen array backend.
    resources : Resources
        Limits on threads and memory.

    """

    seed: int = 0
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("lockgate"))
    progress: Progress = no_progress
    scratch: Path | None = None
    backend: Backend = field(default_factory=numpy_backend)
    resources: Resources = Resources()
