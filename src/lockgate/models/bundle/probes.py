"""Rows with expected predictions, stored in a bundle and checked whenever it is opened."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.prediction import MAX_TOLERANCE, Output, Predictor
from lockgate.contract.tables import Schema
from lockgate.data.columns.dates import is_missing
from lockgate.errors import BundleError
from lockgate.models.bundle.made_up_rows import make_up_rows
from lockgate.models.packed.runtime.model import PackedModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBES", "check_probes", "probes_of"]

PROBES = 32
"""Number of probe rows."""

TOLERANCE = 1e-9
"""Largest relative difference of a score; other BLAS kernels change the last digits."""


def probes_of(
    features: pd.DataFrame, schema: Schema, predictor: Predictor, tolerance: float = TOLERANCE
) -> dict[str, Any]:
    """Make up rows from the columns, and record the predictions for them.

    `tolerance` is the largest difference that the model's format declares: what computes in 32
    bits computes otherwise on another processor.
    """
    chosen = make_up_rows(features, schema, PROBES)
    output = predictor.predict(chosen)
    return {
        "columns": {str(name): [_plain(v) for v in chosen[name].tolist()] for name in chosen},
        "label": [_plain(value) for value in output.label.tolist()],
        "score": None if output.score is None else output.score.tolist(),
        **({"tolerance": tolerance} if tolerance > TOLERANCE else {}),
    }


def check_probes(probes: dict[str, Any], schema: Schema, predictor: Predictor) -> None:
    """Predict the probe rows and compare with the recorded predictions.

    Raises
    ------
    BundleError
        If a prediction differs: the file is intact, but the model behaves
        differently here, e.g. under another library version.

    """
    columns: dict[str, Any] = {}
    for column in schema.features:
        values = probes["columns"].get(column.name)
        if values is None:
            raise BundleError(f"the probe rows lack column {column.name}")
        columns[column.name] = values
    model = getattr(predictor, "model", predictor)  # the format packed wraps it
    if "tolerance" in probes and isinstance(model, PackedModel):
        raise BundleError("the probe rows of a packed model have a tolerance; it needs none")
    output = predictor.predict(columns)
    _compare(probes, output)


def _compare(probes: dict[str, Any], output: Output) -> None:
    tolerance = probes.get("tolerance", TOLERANCE)
    if not isinstance(tolerance, float) or not TOLERANCE <= tolerance <= MAX_TOLERANCE:
        raise BundleError(
            f"the probe rows have a tolerance of {tolerance!r}, expected {TOLERANCE:g} to "
            f"{MAX_TOLERANCE:g}"
        )
    recorded = [value for label in probes["label"] for value in _values_of(label)]
    sizes = [abs(value) for value in recorded if isinstance(value, float)]
    absolute = tolerance * min(1.0, max(sizes, default=0.0)) if tolerance > TOLERANCE else 0.0
    allowed = {"rel_tol": tolerance, "abs_tol": absolute}
    for row, (expected, actual) in enumerate(
        zip(probes["label"], output.label.tolist(), strict=True)
    ):
        same = all(
            value == _plain(other)
            or (isinstance(value, float) and math.isclose(value, other, **allowed))
            for value, other in zip(_values_of(expected), _values_of(actual), strict=True)
        )
        if not same:
            raise BundleError(f"probe row {row}: expected prediction {expected!r}, got {actual!r}")
    if probes["score"] is not None:
        expected, actual = np.asarray(probes["score"]), np.asarray(output.score)
        if not np.allclose(expected, actual, rtol=tolerance, atol=tolerance):
            worst = float(np.abs(expected - actual).max())
            raise BundleError(f"probe scores differ by up to {worst:.3g} here")


def _values_of(label: Any) -> list[Any]:
    """Return the values of a row: several where there are several targets."""
    return label if isinstance(label, list) else [label]


def _plain(value: object) -> Any:
    if is_missing(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
