"""Columns of an output file that explain its predictions."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lockgate.contract.explanation import Against
from lockgate.errors import UsageError
from lockgate.models.bundle.explain import Explainers
from lockgate.models.bundle.open import Bundle
from lockgate.models.packed.runtime.blocks import take_cells

__all__ = ["Reasons"]


@dataclass(frozen=True)
class Reasons:
    """Explains the rows of a file.

    Attributes
    ----------
    explainers : Explainers
        Of the model.
    limit : int
        Largest number of reasons for a row; 0 for none.
    against : {"reference", "training"}
        What predictions are compared with.

    """

    explainers: Explainers
    limit: int
    against: Against

    @classmethod
    def of(cls, bundle: Bundle, limit: int, against: Against) -> Reasons:
        """Return what explains a bundle's predictions.

        Raises
        ------
        NotApplicable
            If its model cannot be explained.
        UsageError
            If the limit is negative or a fraction, or `against` is unknown.

        """
        try:
            count = operator.index(limit)
        except TypeError:
            count = -1
        if count < 0:
            raise UsageError(f"explain is {limit!r}, expected a whole number from 0")
        explainers = bundle.explainers
        if count:
            explainers.find(against)
        return cls(explainers, min(count, len(explainers.model.inputs)), against)

    @property
    def description(self) -> str:
        """What decides about the columns: parts with others are not reused."""
        return f"{self.limit} against {self.against}" if self.limit else ""

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        several = self.explainers.model.task == "multioutput"
        endings = [f"_{name}" for name in self.explainers.outputs] if several else [""]
        return [
            f"{name}_{k}{ending}"
            for ending in endings
            for k in range(1, self.limit + 1)
            for name in ("reason", "contribution")
        ]

    def check_kept_columns(self, keep: Sequence[str]) -> None:
        """Raise a `UsageError` if a column of the source has the name of one of them."""
        if taken := sorted(set(keep) & set(self.names)):
            raise UsageError(
                f"column {taken[0]} cannot be kept: the output has a column of that name; "
                "rename yours"
            )

    def columns(
        self, cells: Sequence[Any], rows: np.ndarray, labels: np.ndarray
    ) -> dict[str, pa.Array]:
        """Explain rows, as columns of their largest contributions.

        Parameters
        ----------
        cells : sequence
            As `read_columns` returns them.
        rows : ndarray of int
            The rows to explain.
        labels : ndarray
            The predictions of all rows.

        Returns
        -------
        dict of str to pyarrow.Array
            Names of columns, and contributions; null where a row has fewer reasons, or no
            prediction with cells of the reference.

        """
        if not self.limit:
            return {}
        explainer = self.explainers.find(self.against)
        values = explainer.columns([take_cells(column, rows) for column in cells], len(rows))
        if self.explainers.model.task != "multioutput":
            chosen = self.explainers.chosen_outputs(labels[rows])
            values = values[np.arange(len(rows)), :, chosen, None]
        names = pa.array([column.name for column in self.explainers.model.inputs])
        columns: list[pa.Array] = []
        for output in range(values.shape[2]):
            contributions = values[:, :, output]
            order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, : self.limit]
            largest = np.take_along_axis(contributions, order, axis=1)
            usable = np.isfinite(contributions).all(axis=1)
            absent = ~usable[:, None] | (largest == 0)
            for k in range(self.limit):
                columns.append(names.take(pa.array(order[:, k], mask=absent[:, k])))
                columns.append(pa.array(largest[:, k], mask=absent[:, k]))
        return dict(zip(self.names, columns, strict=True))
