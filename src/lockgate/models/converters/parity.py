"""Compares a packed model's predictions with the original's, on table rows and edge cases."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import NUMERIC
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import LockgateError, NotCovered, SchemaViolation
from lockgate.modeling.training.estimators import detects_anomalies
from lockgate.models.converters.causes import columns_behind, describe_row, likely_causes
from lockgate.models.converters.differences import relative_distances, within_rounding
from lockgate.models.converters.edge_cases import edge_case_rows
from lockgate.models.converters.fitted_columns import as_fitted
from lockgate.models.converters.neighbor_ties import have_no_neighbors, leave_out_ties
from lockgate.models.converters.term_sizes import rounding_bound
from lockgate.models.packed.runtime.model import PackedModel

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["Parity", "check_parity", "compare"]

MAX_REJECTED = 0.5
"""Share of the training rows that a packed model may reject, e.g. for infinite numbers."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Parity:
    """The result of a comparison.

    Attributes
    ----------
    rows : int
        Rows that were compared.
    label_changes : int
        Labels that differ.
    difference : float
        Largest difference of a probability, relative for numbers above 1 of a regression or of
        margins, without those of `rounded` rows.
    wrong : int
        Rows with another label, or a difference of more than the tolerance, that rounding does not
        explain.
    rounded : int
        Rows that differ by more than the tolerance as their sums cancel, which rounding explains.
    rounded_difference : float
        Largest difference of those.
    ties : int
        Labels that differ where the original's classes are as close as rounding may decide.
    example : str
        The row that differs most, where any differs by more than the tolerance.
    tied : int
        Rows of the table that were left out: training rows at equal distances contend for the last
        neighbor. Edge cases of that kind are left out as well.
    table_rows : int
        Rows of the table, compared or left out.

    """

    rows: int
    label_changes: int
    difference: float
    wrong: int = 0
    rounded: int = 0
    rounded_difference: float = 0.0
    ties: int = 0
    example: str = ""
    tied: int = 0
    table_rows: int = 0

    def __str__(self) -> str:
        """Return the result as text."""
        ties = f" ({self.ties} of them exact ties)" if self.ties else ""
        rounded = (
            f"; {self.rounded} rows whose sums cancel differ by up to {self.rounded_difference:.2g}"
            if self.rounded
            else ""
        )
        tied = f"; {self.tied} rows with tied neighbors were not compared" if self.tied else ""
        return (
            f"{self.rows} rows: {self.label_changes + self.ties} labels differ{ties}, "
            f"largest difference {self.difference:.2g}{rounded}{tied}"
        )

    def warnings(self) -> list[str]:
        """Return what users of the model should know, as sentences."""
        sentences = []
        if self.rounded:
            sentences.append(
                f"For {self.rounded} of {self.rows} compared rows large terms cancel, so that the "
                f"order of adding shows: numbers differ by up to {self.rounded_difference:.2g}."
            )
        if self.tied:
            sentences.append(
                f"For {self.tied} of {self.table_rows} rows training rows at equal distances "
                "contend for the last of the nearest neighbors; predictions for such rows may "
                "differ from those of the original, which takes any of them."
            )
        return sentences


def check_parity(
    estimator: BaseEstimator,
    packed: PackedModel,
    frame: pd.DataFrame,
    *,
    rows: int = 2000,
    seed: int = 0,
) -> Parity:
    """Compare predictions for rows of the table and for as many edge cases.

    Parameters
    ----------
    estimator : fitted estimator
        The original.
    packed : PackedModel
        Its packed form.
    frame : DataFrame
        Rows that the original was fitted on.
    rows : int
        Number of rows of each kind.
    seed : int
        Seed of the choice of rows and of the edge cases.

    Raises
    ------
    NotCovered
        If a label differs, or a number by more than the tolerance of the file.

    """
    tolerance = packed.header.tolerance
    rng = np.random.default_rng(seed)
    readable = _readable(packed, frame)
    sample = frame.iloc[readable[np.sort(rng.permutation(len(readable))[:rows])]]
    edge_cases = edge_case_rows(packed, sample, rows, rng)
    # the packed model has no prediction there; scikit-learn looks up whatever is in memory
    edge_cases = edge_cases[~have_no_neighbors(packed, edge_cases)]
    compared, tied = leave_out_ties(packed, [sample, edge_cases], rng)
    parts = [compare(estimator, packed, part, tolerance) for part in compared if len(part)]
    parity = Parity(
        sum(part.rows for part in parts),
        sum(part.label_changes for part in parts),
        float(np.max([part.difference for part in parts])),  # NaN stays NaN
        sum(part.wrong for part in parts),
        sum(part.rounded for part in parts),
        max(part.rounded_difference for part in parts),
        sum(part.ties for part in parts),
        next((part.example for part in parts if part.example), ""),
        tied,
        len(sample),
    )
    if parity.wrong:
        causes = "; or ".join(likely_causes(estimator, packed, frame))
        raise NotCovered(
            f"predictions of the packed model differ from the original's ({parity}; allowed: 0 "
            f"and {tolerance:g}), e.g. {parity.example}; likely causes: {causes}"
        )
    return parity


def _readable(packed: PackedModel, frame: pd.DataFrame) -> np.ndarray:
    """Return the indices of rows that the model's inputs allow."""
    rejected = RejectedRows()
    read_columns(packed.inputs, frame, rejected)
    keep = np.ones(len(frame), bool)
    keep[list(rejected.reasons)] = False
    if rejected.reasons:
        share = f"{len(rejected.reasons):,} of {len(frame):,} rows that the model was fitted on"
        first = next(iter(rejected.reasons.values()))[0]
        if len(rejected.reasons) > MAX_REJECTED * len(frame):
            raise NotCovered(f"the packed model would reject {share}: {first}")
        log.warning("the packed model rejects %s: %s", share, first)
    return np.flatnonzero(keep)


class ComparedModel(Protocol):
    """What `compare` needs of a written model."""

    @property
    def task(self) -> str:
        """What is predicted."""

    @property
    def classes(self) -> Sequence[Any]:
        """Labels in the order of the scores."""

    def predict(self, source: Any, /, *, engine: Any = None) -> Output:
        """Predict rows."""


def compare(
    estimator: BaseEstimator, packed: ComparedModel, frame: pd.DataFrame, tolerance: float
) -> Parity:
    """Compare predictions for the same rows."""
    try:
        output = packed.predict(frame, engine="columns")
    except SchemaViolation as error:
        raise NotCovered(
            f"the written model refuses rows that the original takes: {error.problems[0]}"
        ) from None
    with warnings.catch_warnings():  # the original may warn of unknown categories
        warnings.simplefilter("ignore")
        try:
            return _compare_outputs(estimator, packed, frame, output, tolerance)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            message = " ".join(str(error).split())[:300]
            raise NotCovered(
                f"the original cannot predict here ({type(error).__name__}: {message}); if it was "
                "fitted with other versions of its libraries, pack it where those are installed"
            ) from error


def _compare_outputs(
    estimator: BaseEstimator,
    packed: ComparedModel,
    frame: pd.DataFrame,
    output: Output,
    tolerance: float,
) -> Parity:
    rows = _compare_rows(estimator, packed, frame, output, tolerance)
    example = ""
    if rows.wrong.any():
        worst = np.where(rows.wrong, np.nan_to_num(rows.distances, nan=np.inf), -1.0)
        row = int(np.argmax(worst + rows.differs))
        pairs = (output.label[row], rows.ours[row]), (rows.labels[row], rows.expected[row])
        example = describe_row(frame, row, *pairs)

        def differs(others: pd.DataFrame) -> np.ndarray:
            predicted = packed.predict(others, engine="columns")
            return _compare_rows(estimator, packed, others, predicted, tolerance).wrong

        with contextlib.suppress(LockgateError, TypeError, ValueError):
            columns = columns_behind(differs, frame, row, rows.wrong)
            if columns:
                example += f", because of column {' or '.join(columns[:3])}"
    ties = int((rows.differs & rows.close).sum())
    return Parity(
        len(frame),
        int(rows.differs.sum()) - ties,
        float(rows.distances[~rows.rounded].max(initial=0.0)),
        int(rows.wrong.sum()),
        int(rows.rounded.sum()),
        float(rows.distances[rows.rounded].max(initial=0.0)),
        ties,
        example,
    )


class _Compared(NamedTuple):
    """Predictions of both for the same rows, each of shape (n, ...)."""

    labels: np.ndarray
    ours: np.ndarray
    expected: np.ndarray
    distances: np.ndarray
    differs: np.ndarray
    close: np.ndarray
    wrong: np.ndarray
    rounded: np.ndarray


def _compare_rows(
    estimator: BaseEstimator,
    packed: ComparedModel,
    frame: pd.DataFrame,
    output: Output,
    tolerance: float,
) -> _Compared:
    inputs = as_fitted(estimator, frame)
    label = np.asarray(estimator.predict(inputs))
    label = label.reshape(-1) if output.label.ndim == 1 else label
    differs, close = np.zeros(len(frame), bool), np.zeros(len(frame), bool)
    gap = np.full(len(frame), np.inf)  # between the most probable classes
    distances, ours, expected = np.zeros(len(frame)), output.label, label
    # decisions of detectors are positive for the rows that are no anomalies
    default = (-1, 1) if detects_anomalies(estimator) else ()
    labels = np.asarray(getattr(estimator, "classes_", default)).tolist()
    exchanged = len(labels) == 2 and list(packed.classes) == labels[::-1]
    if hasattr(estimator, "predict_proba") and output.score is None and packed.classes:
        raise NotCovered("the original has probabilities, and the written model has none")
    if packed.task in NUMERIC:
        distances = relative_distances(output.label, label)
    else:
        differs = output.label != label
        if output.score is not None and hasattr(estimator, "predict_proba"):
            expected = np.asarray(estimator.predict_proba(inputs))
            expected = expected[:, ::-1] if exchanged else expected
            score = output.score
            ours = np.stack([1 - score, score], axis=1) if score.ndim == 1 else score
            distances = np.abs(ours - expected).max(axis=1, initial=0.0)
            top = np.sort(expected, axis=1)
            gap = top[:, -1] - top[:, -2] if top.shape[1] > 1 else gap
        elif output.margin is not None and hasattr(estimator, "decision_function"):
            ours, expected = output.margin, np.asarray(estimator.decision_function(inputs))
            expected = -expected if exchanged else expected
            distances = relative_distances(ours, expected)
            gap = np.abs(expected) if expected.ndim == 1 else gap
        close = gap <= tolerance
    far = ~(distances <= tolerance)
    rounded = np.zeros(len(frame), bool)
    suspects = far | (differs & ~close)
    if suspects.any():  # only then: it takes longer than the comparison
        bound = np.zeros(len(frame))
        bound[suspects] = rounding_bound(packed, frame[suspects])
        close |= gap <= bound
        rounded = far & within_rounding(ours, expected, tolerance, bound)
    wrong = (differs & ~close) | (far & ~rounded)
    return _Compared(label, ours, expected, distances, differs, close, wrong, rounded)
