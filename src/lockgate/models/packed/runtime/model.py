"""The packed model as its users meet it: opened from a file, used for predictions."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.contract.conversion import ForestEngine
from lockgate.contract.prediction import Output
from lockgate.contract.requests import Backend, numpy_backend
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows, count_missing
from lockgate.data.columns.row_cells import build_cell_readers
from lockgate.data.columns.sources import cells_by_name
from lockgate.errors import PackedFormatError, SchemaViolation
from lockgate.models.packed.format.array_types import Cells, RowSource
from lockgate.models.packed.format.container import LARGEST_FILE
from lockgate.models.packed.format.header import decode
from lockgate.models.packed.runtime.program import Program, reject_unpredicted
from lockgate.models.packed.runtime.row_prediction import RowPrediction

__all__ = ["PackedModel", "open_packed"]

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
        self.header, self.arrays, self._shapes = decode(raw)
        self.digest = hashlib.sha256(raw).hexdigest()
        self.threshold = threshold
        if threshold is not None and (
            self.header.task != "binary" or self.header.answers.score is None
        ):
            raise PackedFormatError("a threshold needs a model with two classes and a probability")
        self._labels = np.array(self.header.classes) if self.header.classes else None
        self._programs: dict[tuple[str, str], Program] = {}
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
    def inputs(self) -> tuple[Any, ...]:
        """Columns that the model needs."""
        return self.header.inputs

    def engine(self, rows: int) -> str:
        """Return how that many rows are computed."""
        if rows <= MAX_SINGLE_ROWS:
            return "one by one"
        engines = sorted(set(self._program(numpy_backend()).engines))
        return ", ".join(["by columns", *engines])

    def predict(
        self,
        source: RowSource,
        *,
        backend: Backend | None = None,
        threads: int = 1,
        rejected: RejectedRows | None = None,
        engine: str | ForestEngine | None = None,
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
        engine : {"rows", "columns"} or ForestEngine, optional
            Row by row or by columns, with equal predictions to the bit; by default
            the number of rows decides. Or a plugin's engine for trees by columns.

        Raises
        ------
        SchemaViolation
            With column, row and value of what the inputs do not allow.

        """
        cells, rows = read_columns(self.header.inputs, source, rejected)
        if rejected is not None:
            rejected.cells = cells
        few = rows <= MAX_SINGLE_ROWS and backend is None if engine is None else engine == "rows"
        if few:
            output = self._one_by_one(cells, rows, rejected)
        else:
            output = self._by_columns(cells, rows, rejected, backend, engine, threads)
        if rejected is not None:
            return output
        counts = count_missing(self.header.inputs, cells)
        return dataclasses.replace(
            output, missing=counts.get("gaps", {}), unknown=counts.get("unknown", {})
        )

    def _by_columns(
        self,
        cells: Sequence[Cells],
        rows: int,
        rejected: RejectedRows | None,
        backend: Backend | None,
        engine: str | ForestEngine | None,
        threads: int,
    ) -> Output:
        other = engine if isinstance(engine, ForestEngine) else None
        program = self._program(backend or numpy_backend(), other)
        pieces = self._compute_chunks(program, cells, rows, threads)
        outputs: list[Any] = [
            None if parts[0] is None else np.concatenate(parts, axis=1)
            for parts in map(list, zip(*pieces, strict=True))
        ]
        *answers, invalid = outputs
        reject_unpredicted(np.flatnonzero(np.asarray(invalid)[0]), rejected)
        return self._build_output(*answers)

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
        row = self._program(numpy_backend()).row()
        binary = self.header.task == "binary"
        classes, threshold = self.header.classes, self.threshold
        last = len(classes) - 1

        def build_prediction(
            label: list[float], scores: list[float] | None, margins: list[float] | None
        ) -> RowPrediction:
            score = scores[0] if scores is not None and binary else scores
            margin = margins[0] if margins is not None and len(margins) == 1 else margins
            if threshold is not None and scores is not None:
                return RowPrediction(classes[scores[0] >= threshold], score, margin)
            prediction = label[0]
            if not classes:
                return RowPrediction(prediction, score, margin)
            inside = 0 <= prediction <= last
            return RowPrediction(
                classes[int(prediction) if inside else last * (prediction > last)], score, margin
            )

        self._build_prediction = build_prediction
        self._row = row

    def _one_by_one(
        self, cells: Sequence[Cells], rows: int, rejected: RejectedRows | None
    ) -> Output:
        if self._row is None:
            self._prepare_row()
        columns = [
            column.tolist() if isinstance(column, np.ndarray) else column for column in cells
        ]
        empty = [
            None if operation_index is None else [math.nan] * self._shapes[operation_index].width
            for operation_index in self._program(numpy_backend()).outputs
        ]
        predictions, invalid = [], []
        with np.errstate(all="ignore"):
            for k in range(rows):
                try:
                    predictions.append(self._row([column[k] for column in columns]))
                except SchemaViolation:
                    predictions.append(empty)
                    invalid.append(k)
        reject_unpredicted(np.array(invalid, dtype=np.int64), rejected)
        outputs: list[Any] = []
        for output_index, operation_index in enumerate(self._program(numpy_backend()).outputs):
            if operation_index is None:
                outputs.append(None)
            else:
                width = self._shapes[operation_index].width
                flat = [prediction[output_index] for prediction in predictions]
                outputs.append(np.array(flat, dtype=float).reshape(rows, width).T)
        return self._build_output(*outputs)

    def _program(self, backend: Backend, engine: ForestEngine | None = None) -> Program:
        key = (backend.name, engine.name if engine else "")
        with self._lock:
            if key not in self._programs:
                with np.errstate(all="ignore"):
                    self._programs[key] = Program(
                        self.header, self.arrays, self._shapes, backend, engine
                    )
            return self._programs[key]

    def _compute_chunks(
        self, program: Program, cells: Sequence[Cells], rows: int, threads: int
    ) -> Any:
        host = program.backend.name == "numpy"
        step = program.chunk if host else max(program.chunk, 1 << 17)
        spans = [(start, min(start + step, rows)) for start in range(0, rows, step)] or [(0, 0)]

        def compute(span: tuple[int, int]) -> list[Any]:
            low, high = span
            with np.errstate(all="ignore"):
                outputs = program.columns([column[low:high] for column in cells], high - low)
            return [None if array is None else program.backend.to_numpy(array) for array in outputs]

        if threads == 1 or len(spans) == 1 or not host:
            return [compute(span) for span in spans]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(compute, spans))

    def _build_output(
        self, label: np.ndarray, scores: np.ndarray | None, margins: np.ndarray | None
    ) -> Output:
        score, margin = scores, margins
        if scores is not None:
            score = scores[0] if self.header.task == "binary" else scores.T
        if margins is not None:
            margin = margins[0] if len(margins) == 1 else margins.T
        if self._labels is None:
            return Output(label[0], score, margin)
        if self.threshold is not None and score is not None:
            class_indices = (score >= self.threshold).astype(np.int64)
        else:
            predictions = label[0]
            class_indices = np.where(np.isfinite(predictions), predictions, 0).astype(np.int64)
            class_indices = np.clip(class_indices, 0, len(self._labels) - 1)
        return Output(self._labels[class_indices], score, margin)

    def __repr__(self) -> str:
        """Return the task, digest and number of inputs."""
        return f"<PackedModel {self.task} {self.digest[:12]}, {len(self.inputs)} inputs>"


def open_packed(path: str | Path, *, threshold: float | None = None) -> PackedModel:
    """Open a packed model's file.

    Raises
    ------
    PackedFormatError
        If the file cannot be read, is damaged, invalid or of a newer version.

    """
    file_path = Path(path)
    try:
        if file_path.stat().st_size > LARGEST_FILE:
            raise PackedFormatError(
                f"{file_path} is too large: at most {LARGEST_FILE} bytes are read"
            )
        raw = file_path.read_bytes()
    except OSError as error:
        raise PackedFormatError(f"{file_path} cannot be read: {error}") from None
    return PackedModel(raw, threshold=threshold)
