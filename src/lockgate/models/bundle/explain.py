"""Explains a bundle's predictions, whatever its format."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from lockgate.contract.explanation import Against, Explanation
from lockgate.contract.prediction import Output
from lockgate.data.columns.cell_values import cell_value, cell_values
from lockgate.data.columns.parsing import read_columns
from lockgate.errors import BundleError, SchemaViolation, UsageError
from lockgate.models.bundle.open_format import Model
from lockgate.models.bundle.reference_row import ReferenceRow
from lockgate.models.bundle.table_explainer import TableExplainer
from lockgate.models.bundle.table_model import TableModel
from lockgate.models.packed.explanation.explainer import Explainer

__all__ = ["Explainers", "RowExplainer"]


class RowExplainer(Protocol):
    """What explains rows: `Explainer` of packed models, `TableExplainer` of others.

    `is_fast` says whether a row takes a fraction of a millisecond, and `evaluations` how many
    mixed rows are computed for each.
    """

    explained: str
    base: np.ndarray
    is_fast: bool
    evaluations: int

    def columns(self, cells: Sequence[Any], rows: int) -> np.ndarray:
        """Explain rows, as shape (rows, inputs, outputs)."""


class Explainers:
    """Explains the predictions of a model against one row or another.

    Parameters
    ----------
    model : PackedModel or TableModel
        The model.
    reference_row : mapping of str to object
        Cells of its reference row by column.
    targets : sequence of str
        What it predicts.

    """

    def __init__(
        self, model: Model, reference_row: ReferenceRow, targets: Sequence[str] = ()
    ) -> None:
        self.model, self.targets = model, tuple(targets)
        names = [column.name for column in model.inputs]
        if missing := [name for name in names if name not in reference_row]:
            raise BundleError(
                f"the bundle's reference row has no cell of {', '.join(missing[:5])}, which the "
                "model takes: the manifest is damaged"
            )
        self.reference_row: ReferenceRow = {name: reference_row[name] for name in names}
        self._lock = threading.Lock()
        self._explainers: dict[str, RowExplainer] = {}

    @property
    def is_fast(self) -> bool:
        """Whether rows are explained in a fraction of a millisecond: all tables are built."""
        return "reference" in self._explainers and self._explainers["reference"].is_fast

    def find(self, against: Against = "reference") -> RowExplainer:
        """Return what explains predictions against the reference row, or the training rows.

        Raises
        ------
        NotApplicable
            If the model cannot be explained.
        UsageError
            If `against` is unknown.

        """
        if against not in ("reference", "training"):
            raise UsageError(f"against is {against[:60]!r}; expected reference, training, or a row")
        with self._lock:
            if against not in self._explainers:
                self._explainers[against] = self._make(self.reference_row, against)
            return self._explainers[against]

    def _make(self, reference_row: ReferenceRow, against: Against) -> RowExplainer:
        cells = self._read_reference(reference_row)
        if isinstance(self.model, TableModel):
            return TableExplainer(self.model, cells, against)
        return Explainer(self.model, cells, against)

    def _read_reference(self, row: Mapping[str, Any]) -> list[Any]:
        try:
            return read_columns(self.model.inputs, [row])[0]
        except SchemaViolation as error:
            problems = [problem.replace(" in row 0", "") for problem in error.problems]
            raise SchemaViolation([f"the reference row: {p}" for p in problems]) from None

    def _complete(self, row: Mapping[str, Any]) -> ReferenceRow:
        """Return a reference row that names some columns, with typical cells in the others."""
        unknown = sorted(set(row) - set(self.reference_row))
        if unknown:
            raise UsageError(
                f"the reference row has {', '.join(unknown[:5])}, which the model does not take; "
                f"expected some of {', '.join(list(self.reference_row)[:10])}"
            )
        cells = self._read_reference({**self.reference_row, **row})
        return {
            column.name: cell_value(column, column_cells[0])
            for column, column_cells in zip(self.model.inputs, cells, strict=True)
        }

    def explain(
        self, columns: Any, predicted: Output, against: Against | Mapping[str, object]
    ) -> Explanation:
        """Explain rows that were predicted.

        Parameters
        ----------
        columns : object
            The rows, as the model takes them.
        predicted : Output
            Their predictions.
        against : {"reference", "training"} or mapping of str to object
            What they are compared with.

        Raises
        ------
        NotApplicable
            If the model cannot be explained.
        SchemaViolation
            If the model does not take the rows, or the reference row.
        UsageError
            If `against` is something else.

        """
        if isinstance(against, str):
            explainer, compared = self.find(against), str(against)
            reference = self.reference_row if against == "reference" else None
        elif hasattr(against, "items") and not hasattr(against, "columns"):
            reference = self._complete({str(name): cell for name, cell in against.items()})
            explainer, compared = self._make(reference, "reference"), "row"
        else:
            raise UsageError(
                f"against is a {type(against).__name__}; expected reference, training, or a row "
                "as a mapping of column to value"
            )
        cells, _ = read_columns(self.model.inputs, columns)
        explanation = self._explain(explainer, cells, predicted.label, compared, reference)
        if not np.isfinite(explanation.values).all():
            usable = np.isfinite(explanation.values).all(axis=(1, 2))
            row = int(np.flatnonzero(~usable)[0])
            raise SchemaViolation(
                [f"row {row} cannot be explained: mixed with the reference, it has no prediction"]
            )
        return dataclasses.replace(explanation, index=getattr(columns, "index", None))

    def explain_cells(self, cells: Sequence[Any], labels: np.ndarray) -> Explanation:
        """Explain rows that were read and predicted, against the reference row.

        Contributions of a row that has no prediction with cells of the reference are NaN.
        """
        return self._explain(self.find(), cells, labels, "reference", self.reference_row)

    def _explain(
        self,
        explainer: RowExplainer,
        cells: Sequence[Any],
        labels: np.ndarray,
        against: str,
        reference: ReferenceRow | None,
    ) -> Explanation:
        return Explanation(
            tuple(column.name for column in self.model.inputs),
            explainer.columns(cells, len(labels)),
            explainer.base,
            explainer.explained,
            self.outputs,
            bool(self.model.classes),
            self.chosen_outputs(labels),
            {
                column.name: cell_values(column, column_cells)
                for column, column_cells in zip(self.model.inputs, cells, strict=True)
            },
            against,
            reference,
        )

    @property
    def outputs(self) -> tuple[Any, ...]:
        """What is explained of each row: several classes or targets, or a single output."""
        if self.model.classes:
            classes = tuple(self.model.classes)
            return classes if len(classes) > 2 else classes[1:]
        return self.targets if self.model.task == "multioutput" else ("",)

    def chosen_outputs(self, labels: np.ndarray) -> np.ndarray:
        """Return the output that explains each row: of several classes the predicted one."""
        if len(self.model.classes) <= 2:
            return np.zeros(len(labels), np.int64)
        numbers = {label: k for k, label in enumerate(self.model.classes)}
        return np.array([numbers[label] for label in labels.tolist()], np.int64)
