"""What an engine or another backend computes is compared with NumPy before it leaves."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lockgate
from lockgate.contract.conversion import PreparedForest
from lockgate.contract.requests import Backend
from lockgate.models.converters.convert import pack_estimator
from lockgate.models.packed.runtime.comparison import (
    EDGE_ROWS,
    END_ROWS,
    NumPyDifference,
    choose_rows,
)
from lockgate.models.packed.runtime.model import PackedModel
from tests.array_backends import STRICT
from tests.models.packing import zoo

Run = Callable[[np.ndarray], np.ndarray]
ROWS = zoo.frame_of(3000)


def packed(name: str = "forest") -> PackedModel:
    return PackedModel(pack_estimator(zoo.fitted(name, ROWS), zoo.inputs(ROWS)).raw)


def engine(
    change: Callable[[Run, np.ndarray], object], tolerance: float = 1e-12
) -> lockgate.Engine:
    def prepare(forest: PreparedForest) -> Run:
        return lambda x: change(forest.run, x)  # type: ignore[return-value]

    return lockgate.Engine("other", prepare, tolerance)


def in_rows(run: Run, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return run(x) + 0.25 * rows


@pytest.mark.parametrize("name", ["forest", "forest of three", "boosting", "tree with gaps"])
def test_an_engine_that_is_right_predicts_the_same(name: str) -> None:
    model, right = packed(name), engine(lambda run, x: run(x))
    seen: list[NumPyDifference] = []
    output = model.predict(ROWS, engine=right, on_compared=seen.append)
    np.testing.assert_array_equal(output.label, model.predict(ROWS).label)
    assert seen == [NumPyDifference(1000, 0.0, 1e-12)]
    model.predict(ROWS, engine=right, compare_rows=10, on_compared=seen.append)
    assert "1,010 rows compared with NumPy: labels equal" in str(seen[0] + seen[1])


ERRORS = {
    "everywhere": lambda run, x: run(x) + 1e-9,
    "at thresholds": lambda run, x: run(np.nextafter(x, np.inf)),
    "at missing values": lambda run, x: run(np.where(np.isnan(x), 0.0, x)),
    "in the last rows": lambda run, x: in_rows(run, x, np.arange(x.shape[1]) >= 2999),
    "in the first rows": lambda run, x: in_rows(
        run, x, (np.arange(x.shape[1]) < 3) & (x.shape[1] > EDGE_ROWS)
    ),
    "in one row of a hundred": lambda run, x: in_rows(run, x, np.arange(x.shape[1]) % 100 == 7),
    "with NaN": lambda run, x: np.where(np.arange(x.shape[1]) == 4, np.nan, run(x)),
}


@pytest.mark.parametrize("where", ERRORS)
def test_an_engine_that_errs_is_refused(where: str) -> None:
    differs = r"^engine other.* differs from the model in [\d,]+ of [\d,]+ rows compared, e.g. row"
    with pytest.raises(lockgate.PluginFailed, match=differs):
        packed("boosting").predict(ROWS, engine=engine(ERRORS[where]))


INVALID = {
    "float32": (lambda run, x: run(x).astype("f4"), "float32 for .* expected doubles of shape"),
    "a row less": (lambda run, x: run(x)[:, 1:], "expected doubles of shape"),
    "rows first": (lambda run, x: run(x).T, "expected doubles of shape"),
    "a list": (lambda run, x: run(x).tolist(), "returned list"),
    "None": (lambda run, x: None, "returned NoneType"),
    "an error": (lambda run, x: 1 // 0, "engine other failed in run: ZeroDivisionError"),
    "an exit": (lambda run, x: exit(0), "engine other failed in run: SystemExit"),
}


@pytest.mark.parametrize("what", INVALID)
def test_what_is_no_array_of_sums_is_refused(what: str) -> None:
    change, message = INVALID[what]
    with pytest.raises(lockgate.PluginFailed, match=message):
        packed().predict(ROWS, engine=engine(change))


def test_prepare_must_return_a_function() -> None:
    with pytest.raises(lockgate.PluginFailed, match="prepare returned NoneType, not a function"):
        packed().predict(ROWS, engine=lockgate.Engine("none", lambda forest: None))  # type: ignore[arg-type, return-value]
    with pytest.raises(lockgate.PluginFailed, match="engine bad failed in prepare: KeyError"):
        packed().predict(ROWS, engine=lockgate.Engine("bad", lambda forest: {}["x"]))


def test_an_engine_may_declare_a_wider_bound() -> None:
    off = engine(lambda run, x: run(x) + 1e-8, tolerance=1e-6)
    model = packed("boosting")
    seen: list[NumPyDifference] = []
    model.predict(ROWS, engine=off, on_compared=seen.append)
    (compared,) = seen
    assert 1e-9 < compared.difference < 1e-6 == compared.tolerance


@pytest.mark.parametrize("tolerance", [10.0, float("inf"), float("nan"), -1e-9, "x", True])
def test_a_bound_that_would_hide_errors_is_refused(tolerance: Any) -> None:
    with pytest.raises(ValueError, match=r"tolerance is .*, expected a number from 0 to 0\.001"):
        lockgate.Engine("wide", lambda forest: forest.run, tolerance)
    with pytest.raises(ValueError, match="tolerance is "):
        lockgate.ModelFiles({"m": b""}, tolerance=tolerance)


def test_a_backend_that_errs_in_labels_alone_is_refused() -> None:
    class Zeros:
        """The array API, whose argmax is wrong."""

        def __getattr__(self, name: str) -> object:
            return getattr(np, name)

        @staticmethod
        def argmax(
            array: np.ndarray, axis: int | None = None, keepdims: bool = False
        ) -> np.ndarray:
            return np.zeros_like(np.argmax(array, axis=axis, keepdims=keepdims))

    zeros = Backend("zeros", Zeros(), np.asarray, np.asarray)
    with pytest.raises(
        lockgate.PluginFailed, match="backend zeros differs from the model.*label 0"
    ):
        packed("forest of three").predict(ROWS, backend=zeros)


def test_two_engines_of_a_name_are_not_confused() -> None:
    model = packed()
    model.predict(ROWS, engine=engine(lambda run, x: run(x)))
    with pytest.raises(lockgate.PluginFailed):
        model.predict(ROWS, engine=engine(lambda run, x: run(x) + 1.0))


@pytest.mark.parametrize("name", ["boosting", "logistic", "linear"])
def test_a_backend_that_errs_is_refused(name: str) -> None:
    model = packed(name)
    model.predict(ROWS, backend=STRICT)
    halves = dataclasses.replace(
        STRICT,
        name="short",
        to_numpy=lambda array: (
            np.asarray(array).astype("f2") if np.asarray(array).dtype == "f8" else np.asarray(array)
        ),
    )
    with pytest.raises(lockgate.PluginFailed, match=r"^backend short differs from the model in"):
        model.predict(ROWS, backend=halves)


def test_the_backend_of_numpy_is_compared_with_nothing() -> None:
    plain = Backend("numpy", np, np.asarray, np.asarray)
    assert len(packed().predict(ROWS, backend=plain).label) == len(ROWS)


@given(rows=st.integers(0, 5000), count=st.integers(4, 1500))
def test_rows_are_distinct_and_hold_both_ends(rows: int, count: int) -> None:
    chosen = choose_rows(rows, count)
    assert len(chosen) == len(np.unique(chosen)) == min(rows, count)
    ends = min(END_ROWS, count // 4)
    if rows:
        assert set(range(min(rows, ends))) <= set(chosen.tolist())
        assert rows - 1 in chosen
