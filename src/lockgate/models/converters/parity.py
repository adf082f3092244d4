"""Compares a packed model's answers with the original's, on plain and on awkward rows."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lockgate.contract.prediction import Output
from lockgate.errors import NotCovered
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.numeric import Arith, Concat, Fill, Numbers, Select
from lockgate.models.packed.runtime.model import PackedModel

__all__ = ["Parity", "check_parity", "compare", "edge_case_rows"]

LARGEST = 1e30
"""Numbers beyond do not fit into 32 bits, and scikit-learn's trees refuse them."""

UNSEEN = "a category that was never seen"


@dataclasses.dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes
    ----------
    rows : int
        Rows that were compared.
    flips : int
        Labels that differ.
    difference : float
        Largest difference of a probability; of a regression, relative to values above 1.
    ties : int
        Labels that differ where the original's own margin is within the tolerance of a tie.

    """

    rows: int
    label_changes: int
    difference: float
    ties: int = 0

    def __str__(self) -> str:
        """Say it in words."""
        ties = f" ({self.ties} of them exact ties)" if self.ties else ""
        return (
            f"{self.rows} rows: {self.label_changes + self.ties} labels differ{ties}, "
            f"largest difference {self.difference:.2g}"
        )


def check_parity(
    estimator: Any,
    packed: PackedModel,
    frame: pd.DataFrame,
    *,
    rows: int = 2000,
    seed: int = 0,
) -> Parity:
    """Compare on rows of the table and on as many awkward ones.

    Raises
    ------
    NotCovered
        If an answer differs by more than the tolerance that the file states, or
        a label does.

    """
    tolerance = packed.header.tolerance
    rng = np.random.default_rng(seed)
    readable = _readable(packed, frame)
    some = frame.iloc[readable[np.sort(rng.permutation(len(readable))[:rows])]]
    parts = [compare(estimator, packed, some, tolerance)]
    awkward = edge_case_rows(packed, some, rows, rng)
    parts.append(compare(estimator, packed, awkward, tolerance))
    found = Parity(
        sum(one.rows for one in parts),
        sum(one.label_changes for one in parts),
        float(np.max([one.difference for one in parts])),  # NaN stays NaN
        sum(one.ties for one in parts),
    )
    if found.label_changes or not found.difference <= tolerance:
        raise NotCovered(
            f"the packed model would answer otherwise than the original ({found}; allowed are "
            f"0 and {tolerance:g}). If the model was fitted with other versions of its libraries, "
            "these answer otherwise too: pack it where it was fitted; else please report it"
        )
    return found


def _readable(packed: PackedModel, frame: pd.DataFrame) -> np.ndarray:
    """Return positions of rows that the model's inputs do not refuse."""
    from lockgate.data.columns.parsing import read_columns
    from lockgate.data.columns.rejections import RejectedRows

    rejected = RejectedRows()
    read_columns(packed.inputs, frame, rejected)
    keep = np.ones(len(frame), bool)
    keep[list(rejected.reasons)] = False
    if not keep.any():
        first = next(iter(rejected.reasons.values()))[0]
        raise NotCovered(f"no row of the table can be answered: {first}")
    return np.flatnonzero(keep)


def compare(estimator: Any, packed: PackedModel, frame: pd.DataFrame, tolerance: float) -> Parity:
    """Compare answers to the same rows."""
    found = packed.predict(frame, engine="columns")
    with warnings.catch_warnings():  # the original may have something to say about unknowns
        warnings.simplefilter("ignore")
        try:
            return _compared(estimator, packed, frame, found, tolerance)
        except (AttributeError, TypeError, ValueError) as error:
            words = " ".join(str(error).split())[:300]
            raise NotCovered(
                f"the original cannot be asked here ({type(error).__name__}: {words}); if it was "
                "fitted with other versions of its libraries, pack it where those are installed"
            ) from error


def _compared(
    estimator: Any, packed: PackedModel, frame: pd.DataFrame, found: Output, tolerance: float
) -> Parity:
    given = as_fitted(estimator, frame)
    label = np.asarray(estimator.predict(given)).reshape(-1)
    if packed.task == "regression":
        return Parity(len(frame), 0, _relative(found.label, label))
    apart = found.label != label
    difference, close = 0.0, np.zeros(len(frame), bool)
    if found.score is not None and hasattr(estimator, "predict_proba"):
        wanted = np.asarray(estimator.predict_proba(given))
        ours = found.score
        whole = np.stack([1 - ours, ours], axis=1) if ours.ndim == 1 else ours
        difference = float(np.abs(whole - wanted).max(initial=0.0))
        top = np.sort(wanted, axis=1)
        close = top[:, -1] - top[:, -2] <= tolerance
    elif found.margin is not None and hasattr(estimator, "decision_function"):
        wanted = np.asarray(estimator.decision_function(given))
        difference = _relative(found.margin, wanted)
        close = np.abs(wanted) <= tolerance if wanted.ndim == 1 else close
    ties = int((apart & close).sum())
    return Parity(len(frame), int(apart.sum()) - ties, difference, ties)


def _relative(ours: Any, theirs: Any) -> float:
    if np.shape(ours) != np.shape(theirs):
        return np.inf
    scale = np.maximum(1.0, np.abs(theirs))
    with np.errstate(invalid="ignore"):
        apart = np.abs(ours - theirs) / scale
    return float(np.where(ours == theirs, 0.0, apart).max(initial=0.0))


def as_fitted(estimator: Any, frame: pd.DataFrame) -> Any:
    """Return rows in the form that the estimator was fitted with."""
    names = list(getattr(estimator, "feature_names_in_", ()))
    if names and len(names) == frame.shape[1] and not set(names) <= set(frame):
        # LightGBM writes blanks in names as underscores
        return frame.set_axis(names, axis=1)
    if names:
        return frame[names]
    if frame.shape[1] == 1 and not pd.api.types.is_numeric_dtype(frame.iloc[:, 0]):
        return frame.iloc[:, 0]
    return frame.to_numpy()


def edge_case_rows(
    packed: PackedModel, frame: pd.DataFrame, rows: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Make rows at thresholds and one unit in the last place beside, with gaps and unknowns."""
    base = frame.iloc[rng.integers(0, len(frame), rows)].reset_index(drop=True)
    limits = _limits(packed)
    made = dict(base.items())
    for place, one in enumerate(packed.inputs):
        values = base[one.name]
        if one.kind in ("number", "integer", "boolean"):
            if values.dtype == bool or one.categories:
                continue
            made[one.name] = _beside(values, limits.get(place), one, rng)
        elif one.kind in ("category", "text"):
            made[one.name] = _mixed(values, one, rng)
        elif one.kind == "date" and one.missing == "allow":
            made[one.name] = values.mask(rng.random(rows) < 0.1)
    return pd.DataFrame(made)[list(base.columns)]


def _beside(values: Any, limits: Any, one: Any, rng: np.random.Generator) -> Any:
    own = values.to_numpy(dtype=float, na_value=np.nan)
    known = own[np.isfinite(own)]
    pool = known if limits is None else np.concatenate([limits, known[:100]])
    pool = pool[np.abs(pool) < LARGEST]
    if not len(pool):
        pool = np.zeros(1)
    chosen = rng.choice(pool, len(own))
    with np.errstate(over="ignore"):
        short = chosen.astype(np.float32)
        ways = np.stack(
            [
                own,
                chosen,
                np.nextafter(chosen, np.inf),
                np.nextafter(chosen, -np.inf),
                short.astype(float),
                np.nextafter(short, np.float32(np.inf)).astype(float),
                np.nextafter(short, np.float32(-np.inf)).astype(float),
            ]
        )
    picked = ways[rng.integers(0, len(ways), len(own)), np.arange(len(own))]
    picked = np.where(np.isfinite(picked), picked, own)
    if one.missing == "allow":
        picked = np.where(rng.random(len(own)) < 0.08, np.nan, picked)
    return picked


def _mixed(values: Any, one: Any, rng: np.random.Generator) -> Any:
    if one.kind == "text":
        return values
    made = values.astype(object).to_numpy(copy=True)
    share = rng.random(len(made))
    kinds = {type(v) for v in made if isinstance(v, str)}
    if one.unknown == "ignore" and kinds and not hasattr(values, "cat"):
        made[share < 0.1] = UNSEEN
    if one.missing == "allow":
        gaps = values.isna().to_numpy()
        made[(share >= 0.1) & (share < 0.2)] = values.iloc[gaps.argmax()] if gaps.any() else np.nan
    if hasattr(values, "cat"):
        return pd.Categorical(made, dtype=values.dtype)
    return pd.Series(made, dtype=object)


def _limits(packed: PackedModel) -> dict[int, np.ndarray]:
    """Return the thresholds of trees by input, turned back through what lies between."""
    found: dict[int, list[np.ndarray]] = {}
    ops, arrays = packed.header.ops, packed.arrays
    for op in ops:
        if isinstance(op, Forest):
            counts = arrays[op.counts].astype(int)
            codes = arrays[op.codes] if op.codes else np.zeros(len(counts), int)
            at = 0
            for column, count in enumerate(counts.tolist()):
                if codes[column] == 0:
                    own = arrays[op.edges][at : at + count]
                    at += count
                    _back(packed, op.of[0], column, own, found)
    return {place: np.unique(np.concatenate(parts)) for place, parts in found.items()}


def _back(
    packed: PackedModel,
    place: int,
    column: int,
    limits: np.ndarray,
    found: dict[int, list[np.ndarray]],
) -> None:
    op: Any = packed.header.ops[place]
    if isinstance(op, Numbers):
        found.setdefault(op.columns[column], []).append(limits)
    elif isinstance(op, Fill):
        _back(packed, op.of[0], column, limits, found)
    elif isinstance(op, Select):
        _back(packed, op.of[0], op.columns[column], limits, found)
    elif isinstance(op, Arith):
        own = packed.arrays[op.values][column]
        back: Mapping[str, Any] = {
            "add": limits - own,
            "subtract": limits + own,
            "divide": limits * own,
            "multiply": limits / own if own else limits,
        }
        _back(packed, op.of[0], column, back[op.how], found)
    elif isinstance(op, Concat):
        for one in op.of:
            width = packed._shapes[one].width
            if column < width:
                _back(packed, one, column, limits, found)
                return
            column -= width
