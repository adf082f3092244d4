"""The packed model as its users meet it: made of a file's content, used for predictions."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.contract.conversion import Engine
from lockgate.contract.prediction import Output
from lockgate.contract.recipes import NUMERIC, TWO_CLASSES
from lockgate.contract.requests import Backend, numpy_backend
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows, count_missing
from lockgate.data.columns.row_cells import build_cell_readers
from lockgate.data.columns.sources import cells_by_name
from lockgate.errors import PackedFormatError, SchemaViolation, UsageError
from lockgate.models.packed.format.array_types import Cells, RowSource
from lockgate.models.packed.format.header import decode
from lockgate.models.packed.runtime.blocks import compute_columns, join_cells, take_cells
from lockgate.models.packed.runtime.comparison import (
    COMPARED_ROWS,
    NumPyDifference,
    choose_rows,
    compare_predictions,
)
from lockgate.models.packed.runtime.predictions import (
    RowPrediction,
    output_builder,
    row_prediction_builder,
)
from lockgate.models.packed.runtime.program import Program, reject_unpredicted

__all__ = ["PackedModel"]

MAX_SINGLE_ROWS = 12
"""Up to that many rows are predicted one by one; more are computed by columns."""

LARGEST = sys.float_info.max


class PackedModel:
    """A packed model, checked and ready for predictions.

    Parameters
    ----------
    raw : bytes
        Content of the file.
    threshold : float, optional
        Score from which the second of two classes is predicted.

    Attributes
    ----------
    header : Header
        The file's header.
    digest : str
        sha256 of the file.

    """

    def __init__(self, raw: bytes, *, threshold: float | None = None) -> None:
        self.header, self.arrays, self.shapes = decode(raw)
        self.digest = hashlib.sha256(raw).hexdigest()
        self.threshold = threshold
        has_score = self.header.task in TWO_CLASSES and self.header.answers.score is not None
        if threshold is not None and not has_score:
            raise PackedFormatError("a threshold needs a model with two classes and a probability")
        self._build = output_builder(self.header, threshold)
        self._programs: dict[tuple[str, Engine | None], Program] = {}
        self._row: Any = None
        self._lock = threading.Lock()

    @property
    def task(self) -> str:
        """What is predicted."""
        return self.header.task

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels in the order of the scores."""
        return self.header.classes

    @property
    def target_count(self) -> int:
        """Number of targets that it predicts together; 1 unless the task is multioutput."""
        return self.shapes[self.header.answers.label].width

    @property
    def inputs(self) -> tuple[Any, ...]:
        """Columns that the model needs."""
        return self.header.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Which of label, score and margin it predicts."""
        answers = self.header.answers
        return tuple(
            name for name in ("label", "score", "margin") if getattr(answers, name) is not None
        )

    def compute_operation(self, index: int, cells: Sequence[Cells], rows: int) -> np.ndarray:
        """Return the numbers that an operation gives for rows, shape (width, n)."""
        return np.asarray(self.compile_operations([index]).columns(cells, rows)[0])

    def compile_operations(self, indices: Sequence[int]) -> Program:
        """Compile the operations that these need; its outputs are what they give."""
        return Program(self.header, self.arrays, self.shapes, numpy_backend(), outputs=indices)

    def engine(self, rows: int) -> str:
        """Return how that many rows are computed."""
        if rows <= MAX_SINGLE_ROWS:
            return "one by one"
        return ", ".join(["by columns", *sorted(set(self._program().engines))])

    def predict(
        self,
        source: RowSource,
        *,
        backend: Backend | None = None,
        threads: int = 1,
        rejected: RejectedRows | None = None,
        engine: str | Engine | None = None,
        compare_rows: int = COMPARED_ROWS,
        on_compared: Callable[[NumPyDifference], object] | None = None,
    ) -> Output:
        """Predict rows.

        Parameters
        ----------
        source : DataFrame, Arrow table, mapping of columns, sequence of mappings, or 2-D array
            The rows.
        backend : Backend, optional
            Where to compute; NumPy by default.
        threads : int
            Threads of the NumPy path.
        rejected : RejectedRows, optional
            Collects rejected rows instead of raising; their predictions are undefined.
        engine : {"rows", "columns"} or Engine, optional
            Row by row or by columns, with equal predictions to the bit; by default
            the number of rows decides. Or a plugin's engine for trees by columns.
        compare_rows : int
            Rows that NumPy computes, too, where an engine or another backend predicts.
        on_compared : callable, optional
            Called with the result of that comparison.

        Raises
        ------
        SchemaViolation
            With column, row and value of what the inputs do not allow.
        PluginFailed
            If an engine or a backend predicts other values than NumPy for one of these rows.

        """
        if isinstance(engine, str) and engine not in ("rows", "columns"):
            raise UsageError(f"engine is {engine!r}; expected rows, columns, or lockgate.Engine")
        cells, rows = read_columns(self.header.inputs, source, rejected)
        if rejected is not None:
            rejected.cells = cells
        few = rows <= MAX_SINGLE_ROWS and backend is None if engine is None else engine == "rows"
        if few:
            output = self._one_by_one(cells, rows, rejected)
        else:
            program = self._program(backend, engine if isinstance(engine, Engine) else None)
            answers, invalid = compute_columns(program, cells, rows, threads)
            if program.needs_comparison:
                chosen = choose_rows(rows, compare_rows)
                comparison = self._compare(program, cells, answers, invalid, chosen)
                if on_compared is not None:
                    on_compared(comparison)
            reject_unpredicted(np.flatnonzero(invalid), rejected)
            output = self._build(*answers)
        if rejected is not None:
            return output
        counts = count_missing(self.header.inputs, cells)
        return dataclasses.replace(
            output, missing=counts.get("gaps", {}), unknown=counts.get("unknown", {})
        )

    def predict_together(
        self, parts: Sequence[tuple[Sequence[Cells], int, RejectedRows]]
    ) -> list[Output]:
        """Predict the rows of several requests at once.

        Each gets the predictions that it gets alone, to the bit; many small computations
        take longer than a large one.

        Parameters
        ----------
        parts : sequence of (cells, rows, rejected)
            Of each request the cells, as `read_columns` returns them, the number of rows, and
            where rejected rows are collected.

        """
        total = sum(rows for _, rows, _ in parts)
        if len(parts) == 1 or total <= MAX_SINGLE_ROWS:
            return [self._compute(*part) for part in parts]
        cells = [
            join_cells(columns) for columns in zip(*(cells for cells, _, _ in parts), strict=True)
        ]
        answers, invalid = compute_columns(self._program(), cells, total)
        outputs, start = [], 0
        for _, rows, rejected in parts:
            span = slice(start, start + rows)
            reject_unpredicted(np.flatnonzero(invalid[span]), rejected)
            part: list[Any] = [None if answer is None else answer[:, span] for answer in answers]
            outputs.append(self._build(*part))
            start += rows
        return outputs

    def _compute(self, cells: Sequence[Cells], rows: int, rejected: RejectedRows) -> Output:
        if rows <= MAX_SINGLE_ROWS:
            return self._one_by_one(cells, rows, rejected)
        answers, invalid = compute_columns(self._program(), cells, rows)
        reject_unpredicted(np.flatnonzero(invalid), rejected)
        return self._build(*answers)

    def _compare(
        self,
        program: Program,
        cells: Sequence[Cells],
        answers: Sequence[Any],
        invalid: np.ndarray,
        chosen: np.ndarray,
    ) -> NumPyDifference:
        """Compare what a plugin's engine or backend computed with NumPy, for some rows."""
        sample = [take_cells(column, chosen) for column in cells]
        expected, expected_invalid = compute_columns(self._program(), sample, len(chosen))
        actual = [None if answer is None else answer[:, chosen] for answer in answers]
        return compare_predictions(
            program.name,
            (*expected, expected_invalid),
            (*actual, invalid[chosen]),
            chosen,
            exact_labels=self.task not in NUMERIC and program.engine is not None,
            tolerance=program.tolerance,
        )

    def predict_one(self, row: Mapping[str, object]) -> RowPrediction:
        """Predict one row given as a mapping of column to value, None for a missing value.

        Raises
        ------
        SchemaViolation
            If a column is missing or has a value that the input does not allow.

        """
        if self._row is None:
            self._prepare_row()
        cells = []
        try:
            for name, read, plain in self._readers:
                value = row[name]
                # a finite float of a column of numbers needs no further check
                if plain and value.__class__ is float and -LARGEST <= value <= LARGEST:
                    cells.append(value)
                else:
                    cells.append(read(value))
        except SchemaViolation as error:
            problems = [problem.replace(" in row 0", "") for problem in error.problems]
            raise SchemaViolation(problems) from None
        except (KeyError, TypeError):
            row_by_text = cells_by_name(self.header.inputs, row)
            if set(row_by_text) == set(row):
                raise
            return self.predict_one(row_by_text)
        label, score, margin = self._row(cells)
        return self._build_prediction(label, score, margin)

    def _prepare_row(self) -> None:
        self._readers = build_cell_readers(self.header.inputs)
        self._build_prediction = row_prediction_builder(self.header, self.threshold)
        self._row = self._program().row()

    def _one_by_one(
        self, cells: Sequence[Cells], rows: int, rejected: RejectedRows | None
    ) -> Output:
        if self._row is None:
            self._prepare_row()
        columns = [
            column.tolist() if isinstance(column, np.ndarray) else column for column in cells
        ]
        indices = self._program().outputs
        widths = [None if index is None else self.shapes[index].width for index in indices]
        empty = [None if width is None else [math.nan] * width for width in widths]
        predictions, invalid = [], []
        with np.errstate(all="ignore"):
            for k in range(rows):
                try:
                    predictions.append(self._row([column[k] for column in columns]))
                except SchemaViolation:
                    predictions.append(empty)
                    invalid.append(k)
        reject_unpredicted(np.array(invalid, dtype=np.int64), rejected)
        outputs: list[Any] = [None] * len(widths)
        for k, width in enumerate(widths):
            if width is not None:
                flat = [prediction[k] for prediction in predictions]
                outputs[k] = np.array(flat, dtype=float).reshape(rows, width).T
        return self._build(*outputs)

    def _program(self, backend: Backend | None = None, engine: Engine | None = None) -> Program:
        backend = backend or numpy_backend()
        key = (backend.name, engine)
        with self._lock:
            if key not in self._programs:
                with np.errstate(all="ignore"):
                    self._programs[key] = Program(
                        self.header, self.arrays, self.shapes, backend, engine
                    )
            return self._programs[key]

    def __repr__(self) -> str:
        """Return the task, digest and number of inputs."""
        return f"<PackedModel {self.task} {self.digest[:12]}, {len(self.inputs)} inputs>"
