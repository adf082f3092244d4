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


MAX_SHOWN = 30
"""Columns that a notebook shows."""


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


@dataclass(frozen=True, repr=False)
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
        The second of two classes, all of several, or the targets of several; otherwise a
        single empty text.
    has_classes : bool
        Whether outputs are classes.
    chosen : ndarray of int, shape (n,)
        Output of each row that is explained unless another is requested: of several classes the
        predicted one.
    cells : mapping of str to sequence
        Cells of the rows by column.
    against : str
        What rows are compared with: ``reference``, ``training``, or another ``row``.
    reference : mapping of str to object, or None
        Cells of the row that they are compared with; None for the training rows.
    index : object
        Index of the rows in a DataFrame; None for other rows.

    """

    columns: tuple[str, ...]
    values: np.ndarray
    base: np.ndarray
    explained: str
    outputs: tuple[Any, ...]
    has_classes: bool
    chosen: np.ndarray
    cells: Mapping[str, Sequence[Any]]
    against: str
    reference: Mapping[str, Any] | None
    index: Any = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    def __repr__(self) -> str:
        """Return the number of rows and columns, and what is explained."""
        return (
            f"<Explanation of {len(self)} rows, {len(self.columns)} columns: {self.explained} "
            f"against {self.against}>"
        )

    def reasons(self, row: int = 0, limit: int = 3, output: object = None) -> list[Reason]:
        """Return the largest contributions to a prediction, the largest first.

        Parameters
        ----------
        row : int
            Index of the row.
        limit : int
            Most reasons to return, from 0; columns that contribute nothing are left out.
        output : object, optional
            Class or target; by default the predicted class, or the only target.

        Raises
        ------
        UsageError
            If the row, the class or the target does not exist, or several targets were explained
            and none is named.

        """
        if not -len(self) <= row < len(self):
            raise UsageError(f"row is {row}, and {len(self)} rows were explained")
        if limit < 0:
            raise UsageError(f"limit is {limit}, expected a whole number from 0")
        contributions = self.contributions(output)[row].tolist()
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
        if len(self.outputs) > 1 and not self.has_classes:
            return {name: self._plain(row, limit, name) for name in self.outputs}
        chosen = self.outputs[int(self.chosen[row])]
        return self._plain(row, limit, chosen) | ({"class": chosen} if self.has_classes else {})

    def _plain(self, row: int, limit: int, output: object) -> dict[str, Any]:
        return {
            "explained": self.explained,
            "base": float(self.base[self.outputs.index(output)]),
            "against": self.against,
            "reasons": [reason._asdict() for reason in self.reasons(row, limit, output)],
        }

    def contributions(self, output: object = None) -> np.ndarray:
        """Return the contributions to one output of each row.

        Parameters
        ----------
        output : object, optional
            Class or target; by default the predicted class of each row, or the only target.

        Returns
        -------
        ndarray of float, shape (n, inputs)

        Raises
        ------
        UsageError
            If the output does not exist, or several targets were explained and none is named.

        """
        import numpy as np

        names = ", ".join(map(str, self.outputs))
        if output is None and len(self.outputs) > 1 and not self.has_classes:
            raise UsageError(f"several targets were explained; name one as output: {names}")
        if output is None:
            return np.asarray(self.values[np.arange(len(self)), :, self.chosen])
        if output not in self.outputs:
            raise UsageError(f"output is {output!r}, expected one of: {names or 'none'}")
        return np.asarray(self.values[:, :, self.outputs.index(output)])

    def importance(self, output: object = None) -> dict[str, float]:
        """Return the mean size of each column's contributions, the largest first.

        Of several classes it is that of contributions to the predicted class of each row.

        Parameters
        ----------
        output : object, optional
            As for `contributions`.

        Raises
        ------
        UsageError
            If no rows were explained, or as `contributions` does.

        """
        import numpy as np

        if not len(self):
            raise UsageError("no rows were explained, so no column has an importance")
        sizes = np.abs(self.contributions(output)).mean(axis=0)
        order = np.argsort(-sizes, kind="stable").tolist()
        return {self.columns[k]: float(sizes[k]) for k in order}

    def frame(self, output: object = None) -> pd.DataFrame:
        """Return `contributions` as a table, a column for each input, with the rows' index."""
        import pandas as pd

        return pd.DataFrame(
            self.contributions(output), columns=list(self.columns), index=self.index
        )

    def _repr_html_(self) -> str:
        """Show the reasons of a single row, or the importance of columns, in a notebook."""
        from html import escape

        if not len(self):
            return "<p>no rows were explained</p>"
        several = len(self.outputs) > 1 and not self.has_classes
        tables = []
        for output in self.outputs if several else (None,):
            title, rows = self._summary(output)
            widest = max((abs(number) for _, number, _ in rows), default=0) or 1
            lines = "".join(
                f"<tr><td>{escape(name)}</td><td style='text-align:right'>{text}</td>"
                f"<td><div style='height:.8em;width:{abs(number) / widest * 12:.2f}em;background:"
                f"{'#b5541c' if number < 0 else '#2a6f97'}'></div></td></tr>"
                for name, number, text in rows
            )
            tables.append(f"<table><caption>{escape(title)}</caption>{lines}</table>")
        return "".join(tables)

    def _summary(self, output: object) -> tuple[str, list[tuple[str, float, str]]]:
        """Return a title, and names, numbers and their texts."""
        of = f" of {output}" if output is not None else ""
        if len(self) > 1:
            sizes = list(self.importance(output).items())[:MAX_SHOWN]
            title = f"mean size of contributions to the {self.explained}{of}, {len(self)} rows"
            return title, [(name, size, f"{size:.4g}") for name, size in sizes]
        number = int(self.chosen[0]) if output is None else self.outputs.index(output)
        if self.has_classes:
            of = f" of {self.outputs[number]}"
        title = f"contributions to the {self.explained}{of}, base {self.base[number]:.4g}"
        rows = [
            (
                f"{reason.column} = {_short(reason.value)}"
                + ("" if self.reference is None else f" (reference {_short(reason.reference)})"),
                reason.contribution,
                f"{reason.contribution:+.4g}",
            )
            for reason in self.reasons(0, MAX_SHOWN, output)
        ]
        return title, rows


def _short(value: object) -> str:
    """Return a cell as a short text."""
    if value is None:
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]


def largest(contributions: Sequence[float], limit: int) -> list[int]:
    """Return the indices of the largest contributions, the first of equal ones first.

    Examples
    --------
    >>> largest([0.5, -2.0, 0.0, 1.0], 3)
    [1, 3, 0]

    """
    order = sorted(range(len(contributions)), key=lambda k: -abs(contributions[k]))
    return [k for k in order[: max(0, limit)] if contributions[k]]
