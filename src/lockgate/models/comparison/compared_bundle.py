"""A bundle that is compared: what it is called, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ComparedBundle"]


@dataclass(frozen=True)
class ComparedBundle:
    """One of the two bundles.

    Attributes
    ----------
    label : str
        How it is called in texts: its version, or the folder.
    name : str
        Name of the model.
    digest : str
        sha256 of its manifest.
    model_bytes : int
        Size of the model's files.
    inputs : int
        Number of columns that it takes.
    one_row_us, batch_row_us : float or None
        Median time in microseconds to predict a single row, and one of 1,000 that are predicted
        together; None without rows.

    """

    label: str
    name: str
    digest: str
    model_bytes: int
    inputs: int
    one_row_us: float | None = None
    batch_row_us: float | None = None
