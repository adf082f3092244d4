"""A model of any format, as tables are predicted with it: cells are read, answers are checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.contract.prediction import OpenRequest, Output, Predictor
from lockgate.contract.recipes import TWO_CLASSES
from lockgate.data.columns.cell_values import UNKNOWN
from lockgate.data.columns.dates import MISSING_DATE
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows, count_missing
from lockgate.errors import NotCovered, PluginFailed, SchemaViolation, UsageError
from lockgate.models.packed.runtime.blocks import join_cells, take_cells
from lockgate.models.packed.runtime.predictions import RowPrediction

__all__ = ["TableModel"]


class TableModel:
    """A format's predictor behind the reader of cells that packed models have.

    Parameters
    ----------
    predictor : Predictor
        What the format opened.
    request : OpenRequest
        Schema, task and classes of the model.
    name : str
        Name of the format, for messages.

    Attributes
    ----------
    schema : Schema
        Columns that the model takes.
    inputs : tuple of ColumnInput
        The same, as cells are read.
    task : str
        What is predicted.
    classes : tuple
        Labels in the order of the scores.
    servable : bool
        Whether it may be called from several threads, and predicts rows independently.
    outputs : tuple of str
        Which of label, score and margin it has predicted.

    """

    def __init__(self, predictor: Predictor, request: OpenRequest, name: str) -> None:
        self.predictor, self.schema, self.name = predictor, request.schema, name
        self.task, self.classes = request.task, request.classes
        self.threshold = request.threshold
        self.servable = getattr(predictor, "servable", False) is True
        self.inputs = tuple(
            ColumnInput(
                column.name,
                column.kind,
                column.missing,
                column.unknown if column.kind == "category" else "ignore",
                column.categories if column.kind == "category" else (),
                column.dates,
                column.bits,
            )
            for column in request.schema.features
        )
        for column in self.inputs:
            if UNKNOWN in column.categories:
                raise NotCovered(f"column {column.name}: the category {UNKNOWN!r} is reserved")
        self.outputs: tuple[str, ...] = ("label",)
        self._has_predicted = False

    def predict(
        self,
        columns: Any,
        *,
        rejected: RejectedRows | None = None,
        engine: object = None,
        threads: int = 1,
    ) -> Output:
        """Predict rows, as `PackedModel.predict` does; the format decides on threads and engines.

        Raises
        ------
        SchemaViolation
            With column, row and value of what the inputs do not allow.
        PluginFailed
            If the format fails, or returns predictions of another shape.

        """
        del threads  # the format decides
        if engine not in (None, "rows", "columns"):
            raise UsageError(f"engines predict with packed models; this is of format {self.name}")
        cells, rows = read_columns(self.inputs, columns, rejected)
        if rejected is not None:
            rejected.cells = cells
        output = self._predict_cells(cells, rows, rejected)
        counts = count_missing(self.inputs, cells, () if rejected is None else rejected.reasons)
        return dataclasses.replace(
            output, missing=counts.get("gaps", {}), unknown=counts.get("unknown", {})
        )

    def predict_one(self, row: Mapping[str, object]) -> RowPrediction:
        """Predict one row given as a mapping of column to value, None for a missing value."""
        try:
            output = self.predict([row])
        except SchemaViolation as error:
            problems = [problem.replace(" in row 0", "") for problem in error.problems]
            raise SchemaViolation(problems) from None
        label, score, margin = (
            None if part is None else np.asarray(part).tolist()[0]
            for part in (output.label, output.score, output.margin)
        )
        return RowPrediction(label, score, margin)

    def predict_together(
        self, parts: Sequence[tuple[Sequence[Any], int, RejectedRows]]
    ) -> list[Output]:
        """Predict the rows of several requests at once, as `PackedModel.predict_together` does."""
        rejected = RejectedRows()
        start = 0
        for _, rows, part_rejected in parts:
            for row in part_rejected.reasons:
                rejected.note(start + row, "rejected before")
            start += rows
        cells = [join_cells(columns) for columns in zip(*(part[0] for part in parts), strict=True)]
        together = self._predict_cells(cells, start, rejected)
        outputs, start = [], 0
        for _, rows, part_rejected in parts:
            span = slice(start, start + rows)
            for row, reasons in rejected.reasons.items():
                if start <= row < start + rows and row - start not in part_rejected.reasons:
                    part_rejected.reasons[row - start] = [
                        reason.replace(f"in row {row}", f"in row {row - start}")
                        for reason in reasons
                    ]
            score, margin = (
                None if part is None else part[span] for part in (together.score, together.margin)
            )
            outputs.append(Output(together.label[span], score, margin))
            start += rows
        return outputs

    def _predict_cells(
        self, cells: Sequence[Any], rows: int, rejected: RejectedRows | None
    ) -> Output:
        accepted = np.ones(rows, bool)
        accepted[list(rejected.reasons if rejected is not None else ())] = False
        if rows and not accepted.any():
            return self._empty(rows)
        kept = np.flatnonzero(accepted)
        columns = {
            column.name: _values(column, take_cells(column_cells, kept))
            for column, column_cells in zip(self.inputs, cells, strict=True)
        }
        try:
            output = self.predictor.predict(columns)
        except (Exception, SystemExit) as error:
            message = " ".join(str(error).split())[:300]
            raise PluginFailed(
                f"format {self.name} failed to predict {len(kept)} rows: "
                f"{type(error).__name__}: {message}"
            ) from error
        output = _scatter(self._check(output, len(kept)), accepted)
        finite = np.ones(rows, bool)
        for part in (output.label, output.score, output.margin):
            if part is not None and part.dtype.kind == "f":
                numbers = part.reshape(rows, -1) if rows else part.reshape(0, 1)
                finite &= np.isfinite(numbers).all(axis=1) | ~accepted
        _reject_unpredicted(np.flatnonzero(~finite), rejected)
        if not self._has_predicted:  # the probe rows, when the bundle is opened
            self.outputs = tuple(
                name for name in ("label", "score", "margin") if getattr(output, name) is not None
            )
            self._has_predicted = True
        return output

    def _empty(self, rows: int) -> Output:
        """Return undefined predictions for rows that were all rejected."""
        several = (rows, len(self.classes)) if len(self.classes) > 2 else (rows,)
        values = np.full(self._label_shape(rows), np.nan)
        label = np.array([self.classes[0]] * rows) if self.classes else values
        score = np.full(several, np.nan) if "score" in self.outputs else None
        margin = np.full(rows, np.nan) if "margin" in self.outputs else None
        return Output(label, score, margin)

    def _check(self, output: object, rows: int) -> Output:
        """Raise `PluginFailed` unless the predictions have the shapes of the task."""
        if not isinstance(output, Output):
            raise PluginFailed(
                f"format {self.name} returned {type(output).__name__}; "
                "predict must return lockgate.Output"
            )
        several = (rows, len(self.classes)) if len(self.classes) > 2 else (rows,)
        arrays: dict[str, Any] = {"label": np.asarray(output.label)}
        for name in ("score", "margin"):
            value = getattr(output, name)
            arrays[name] = None if value is None else np.asarray(value, dtype=float)
        expected = {
            "label": (self._label_shape(rows),),
            "score": (several,),
            "margin": ((rows,), several),
        }
        for name, array in arrays.items():
            if array is not None and array.shape not in expected[name]:
                raise PluginFailed(
                    f"format {self.name} returned {name} of shape {array.shape} for {rows} rows; "
                    f"expected {expected[name][-1]}"
                )
        score = arrays["score"]
        if self.threshold is not None and score is not None and self.task in TWO_CLASSES:
            # here, so that no format can forget it
            arrays["label"] = np.asarray(self.classes)[(score >= self.threshold).astype(int)]
        arrays["label"] = self._check_label(arrays["label"])
        return Output(**arrays)

    def _label_shape(self, rows: int) -> tuple[int, ...]:
        targets = len(self.schema.targets)
        return (rows, targets) if self.task == "multioutput" else (rows,)

    def _check_label(self, label: np.ndarray) -> np.ndarray:
        """Return labels as the classes that they are equal to, or values as doubles."""
        if not self.classes:
            try:
                return label.astype(float)
            except (TypeError, ValueError):
                raise PluginFailed(
                    f"format {self.name} returned values of {label.dtype}; expected numbers"
                ) from None
        known = {value: value for value in self.classes}
        unknown = sorted({str(value) for value in label.tolist() if value not in known})[:3]
        if unknown:
            raise PluginFailed(
                f"format {self.name} returned labels {', '.join(unknown)}; "
                f"expected {list(self.classes)}"
            )
        return np.asarray(
            [known[value] for value in label.tolist()], np.asarray(self.classes).dtype
        )


def _scatter(output: Output, accepted: np.ndarray) -> Output:
    """Return predictions for all rows; those of rejected rows are undefined."""
    if accepted.all():
        return output
    label, score, margin = (
        None if part is None else _scatter_array(part, accepted)
        for part in (output.label, output.score, output.margin)
    )
    assert label is not None
    return Output(label, score, margin)


def _scatter_array(part: np.ndarray, accepted: np.ndarray) -> np.ndarray:
    filled = np.repeat(part[:1], len(accepted), axis=0)
    filled[accepted] = part
    return filled


def _reject_unpredicted(rows: np.ndarray, rejected: RejectedRows | None) -> None:
    """Reject rows without a finite prediction, unless they were rejected before."""
    rejections = RejectedRows() if rejected is None else rejected
    rejections.add(
        [row for row in rows.tolist() if row not in rejections.reasons],
        lambda row: f"the model predicts no number in row {row}; it may need a missing value there",
    )
    if rejected is None:
        rejections.raise_first()


def _values(column: ColumnInput, cells: Any) -> np.ndarray:
    """Return clean values of a column: doubles, texts and None, or dates."""
    if column.kind == "category":
        texts = np.empty(len(column.categories) + 2, dtype=object)
        texts[:-2] = column.categories
        texts[-2:] = None, UNKNOWN
        return np.asarray(texts[np.asarray(cells)])
    if column.kind == "date":
        micros = np.asarray(cells, np.int64)
        dates = micros.astype("datetime64[us]")
        dates[micros == MISSING_DATE] = np.datetime64("NaT")
        return dates
    if column.kind == "text":
        values = np.empty(len(cells), dtype=object)
        values[:] = list(cells)
        return values
    return np.asarray(cells, dtype=float)
