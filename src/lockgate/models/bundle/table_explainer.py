"""Explains a model of any format, of few inputs, by predictions of mixed rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.contract.explanation import Against
from lockgate.contract.prediction import Output
from lockgate.contract.recipes import UNSUPERVISED
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import NotApplicable
from lockgate.models.bundle.table_model import TableModel
from lockgate.models.packed.explanation.coalitions import MAX_PLAYERS, mix_cells, shapley_values

__all__ = ["TableExplainer"]


class TableExplainer:
    """Explains a model of any format, of at most 12 inputs, by all coalitions of them.

    Parameters
    ----------
    model : TableModel
        The model.
    reference : sequence of array or list
        Cells of the reference row.
    against : {"reference", "training"}
        What predictions are compared with; only packed trees know their training rows.

    """

    is_fast = False

    def __init__(self, model: TableModel, reference: Sequence[Any], against: Against) -> None:
        self.model, self.reference = model, reference
        if against == "training":
            raise NotApplicable(
                f"models of format {model.name} do not count training rows; explain this model "
                "against its reference"
            )
        if model.task in UNSUPERVISED:
            raise NotApplicable(
                f"predictions of task {model.task} cannot be explained: inputs do not add up "
                "to them"
            )
        if len(model.inputs) > MAX_PLAYERS:
            raise NotApplicable(
                f"this model of format {model.name} has {len(model.inputs)} inputs, and "
                f"{MAX_PLAYERS} are the limit where nothing is known of how a model predicts; "
                "packed models of trees, and linear ones, are explained with any number"
            )
        self.evaluations = 1 << len(model.inputs)
        output = model.predict_together([(reference, 1, RejectedRows())])[0]
        self.explained, numbers = _explained_numbers(output)
        self.base = numbers[0]

    def columns(self, cells: Sequence[Any], rows: int) -> np.ndarray:
        """Explain rows, as shape (rows, inputs, outputs).

        A row that the model refuses with some cells of the reference has NaN.
        """
        players = range(len(self.model.inputs))
        explained = np.full((rows, len(players), len(self.base)), np.nan)
        for row in range(rows):
            mixed = mix_cells(cells, self.reference, players, slice(row, row + 1))
            rejected = RejectedRows()
            output = self.model.predict_together([(mixed, 1 << len(players), rejected)])[0]
            if not rejected.reasons:
                explained[row] = shapley_values(_explained_numbers(output)[1])
        return explained


def _explained_numbers(output: Output) -> tuple[str, np.ndarray]:
    """Return what is explained, and its numbers, shape (rows, outputs)."""
    for name in ("margin", "score"):
        numbers = getattr(output, name)
        if numbers is not None:
            return name, np.asarray(numbers, dtype=float).reshape(len(numbers), -1)
    if np.asarray(output.label).dtype.kind != "f":
        raise NotApplicable("this model gives labels alone, and no number that could be explained")
    return "value", np.asarray(output.label, dtype=float).reshape(len(output.label), -1)
