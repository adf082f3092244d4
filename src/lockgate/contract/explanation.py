"""Explanations: what each input column contributes to predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from lockgate.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["Against", "Explanation", "Reason"]

Against: TypeAlias = Literal["reference", "training"]
"""What predictions are compared with: one row, or the training rows that trees have counted."""


class Reason(NamedTuple):
    """What one input column contributes to one prediction.

    Attributes
    ----------
    column : str
        The input.
    value : object
        Its cell in the row; None where it is missing.
    reference : object
        Its cell in the reference row; None where it is missing, and without such a row.
    contribution : float
        How much it adds to what is explained, in that unit.

    """

    column: str
    value: Any
    reference: Any
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """What each input column contributes to the predictions of n rows.

    For every row the contributions add up to what is explained, less the base value.

    Attributes
    ----------
    columns : tuple of str
        The inputs.
    values : ndarray of float, shape (n, inputs, outputs)
        Contributions: Shapley values (Shapley, 1953), exact.
    base : ndarray of float, shape (outputs,)
        What is explained, of the reference row, or its mean over the training rows.
    explained : str
        What contributions add up to: ``margin``, ``score`` or ``value``, or what stands before
        a link function or a calibration, e.g. ``value before exp``.
    outputs : tuple
        Classes of several, or targets of several; a single empty text otherwise.
    classes : bool
        Whether outputs are classes.
    chosen : ndarray of int, shape (n,)
        Output of each row that is explained unless another is requested: the predicted class.
    cells : mapping of str to sequence
        Cells of the rows by column.
    reference : mapping of str to object, or None
        Cells of the reference row; None where rows are compared with the training rows.

    """

    columns: tuple[str, ...]
    values: np.ndarray
    base: np.ndarray
    explained: str
    outputs: tuple[Any, ...]
    classes: bool
    chosen: np.ndarray
    cells: Mapping[str, Sequence[Any]]
    reference: Mapping[str, Any] | None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    def reasons(self, row: int = 0, limit: int = 3, output: object = None) -> list[Reason]:
        """Return the largest contributions to a prediction, the largest first.

        Parameters
        ----------
        row : int
            Index of the row.
        limit : int
            Most reasons to return; columns that contribute nothing are left out.
        output : object, optional
            Class or target; by default the predicted class, or the first target.

        Raises
        ------
        UsageError
            If there is no such row, class or target.

        """
        if not -len(self) <= row < len(self):
            raise UsageError(f"there is no row {row}: {len(self)} rows were explained")
        if output is not None and output not in self.outputs:
            expected = ", ".join(map(str, self.outputs)) if len(self.outputs) > 1 else "none"
            raise UsageError(f"output is {output!r}, expected one of: {expected}")
        number = int(self.chosen[row]) if output is None else self.outputs.index(output)
        contributions = self.values[row, :, number].tolist()
        return [
            Reason(
                self.columns[k],
                self.cells[self.columns[k]][row],
                None if self.reference is None else self.reference[self.columns[k]],
                contributions[k],
            )
            for k in largest(contributions, limit)
        ]

    def document(self, row: int = 0, limit: int = 3) -> dict[str, Any]:
        """Return the reasons of a row as plain data, as servers send them.

        Of several targets it has the reasons of each, by name.
        """
        several = len(self.outputs) > 1
        if several and not self.classes:
            return {name: self._plain(row, limit, name) for name in self.outputs}
        chosen = self.outputs[int(self.chosen[row])]
        return self._plain(row, limit, chosen) | ({"class": chosen} if several else {})

    def _plain(self, row: int, limit: int, output: object) -> dict[str, Any]:
        return {
            "explained": self.explained,
            "base": float(self.base[self.outputs.index(output)]),
            "against": "training" if self.reference is None else "reference",
            "reasons": [reason._asdict() for reason in self.reasons(row, limit, output)],
        }

    def contributions(self) -> np.ndarray:
        """Return the contributions to the output that each row is explained by.

        Returns
        -------
        ndarray of float, shape (n, inputs)

        """
        import numpy as np

        return np.asarray(self.values[np.arange(len(self)), :, self.chosen])

    def importance(self) -> dict[str, float]:
        """Return the mean size of each column's contributions, the largest first.

        Raises
        ------
        UsageError
            If no rows were explained.

        """
        import numpy as np

        if not len(self):
            raise UsageError("no rows were explained, so no column has an importance")
        sizes = np.abs(self.contributions()).mean(axis=0)
        order = np.argsort(-sizes, kind="stable").tolist()
        return {self.columns[k]: float(sizes[k]) for k in order}

    def frame(self) -> pd.DataFrame:
        """Return `contributions` as a table, a column for each input."""
        import pandas as pd

        return pd.DataFrame(self.contributions(), columns=list(self.columns))

    def _repr_html_(self) -> str:
        """Show the reasons of a single row, or the importance of columns, in a notebook."""
        from html import escape

        if not len(self):
            return "<p>no rows were explained</p>"
        if len(self) == 1:
            rows = [
                (f"{reason.column} = {reason.value}", reason.contribution)
                for reason in self.reasons(limit=len(self.columns))
            ]
            title = f"contributions to the {self.explained}, base {self.base[self.chosen[0]]:.4g}"
        else:
            rows = list(self.importance().items())
            title = f"mean size of contributions to the {self.explained}, {len(self)} rows"
        widest = max((abs(number) for _, number in rows), default=0) or 1
        lines = "".join(
            f"<tr><td>{escape(name)}</td><td style='text-align:right'>{number:+.4g}</td>"
            f"<td><div style='height:.8em;width:{abs(number) / widest * 12:.2f}em;background:"
            f"{'#b5541c' if number < 0 else '#2a6f97'}'></div></td></tr>"
            for name, number in rows
        )
        return f"<table><caption>{escape(title)}</caption>{lines}</table>"


def largest(contributions: Sequence[float], limit: int) -> list[int]:
    """Return the indices of the largest contributions, the first of equal ones first.

    Examples
    --------
    >>> largest([0.5, -2.0, 0.0, 1.0], 3)
    [1, 3, 0]

    """
    order = sorted(range(len(contributions)), key=lambda k: -abs(contributions[k]))
    return [k for k in order[: max(0, limit)] if contributions[k]]
