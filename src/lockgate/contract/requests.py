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
        """Yield the items unchanged and show how many have passed."""


def no_progress(
    items: Iterable[Item], *, total: int | None = None, label: str = ""
) -> Iterable[Item]:
    """Show nothing; what a request carries unless the host sets something else."""
    return items


@dataclass(frozen=True)
class Resources:
    """What a plugin may use of the machine.

    Attributes
    ----------
    threads : int
        Threads for numerical work, at least 1.
    memory_mb : int or None
        Memory to stay below, in MiB; None where nothing was declared.

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
        Namespace that follows the array API standard (2023.12 or later).
    asarray : callable
        NumPy array (or anything like one) to an array of this backend.
    to_numpy : callable
        Array of this backend to a NumPy array in host memory.

    """

    name: str
    xp: Any
    asarray: Callable[[Any], Any]
    to_numpy: Callable[[Any], np.ndarray]

    def __deepcopy__(self, memo: dict[int, Any]) -> Backend:
        """Return itself: modules cannot be copied, and estimators that hold a backend are."""
        return self


def numpy_backend() -> Backend:
    """Build the backend that every request carries unless another was chosen."""
    import numpy as np

    return Backend("numpy", np, np.asarray, np.asarray)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What every request carries besides its own fields.

    Attributes
    ----------
    seed : int
        Seed of all randomness; equal seeds must give equal results.
    log : logging.Logger
        For messages to the user of the pipeline.
    progress : Progress
        Wrap long loops in it: ``for x in request.progress(xs, label="trees")``.
    scratch : pathlib.Path or None
        An empty directory that is removed after the call.
    backend : Backend
        The chosen array backend.
    resources : Resources
        Threads and memory to stay within.

    """

    seed: int = 0
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("lockgate"))
    progress: Progress = no_progress
    scratch: Path | None = None
    backend: Backend = field(default_factory=numpy_backend)
    resources: Resources = Resources()
