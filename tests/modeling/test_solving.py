"""Least squares on every backend that is here."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

from lockgate import BackendUnavailable
from lockgate.contract.requests import Backend, numpy_backend
from lockgate.modeling.solvers.least_squares import least_squares
from lockgate.modeling.solvers.regressor import LeastSquares
from tests.array_backends import STRICT, backend_or_skip, other_backends


@pytest.fixture(params=["numpy", "strict", "cupy"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return backend_or_skip(request.param)


@pytest.mark.parametrize("strength", [0.0, 0.1, 100.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_answer_is_that_of_scikit_learn(
    backend: Backend, strength: float, weighted: bool
) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 6)) + 5, rng.normal(size=200)
    weight = rng.random(200) if weighted else None
    found, intercept = least_squares(backend, X, y, strength=strength, weight=weight)
    peer = Ridge(alpha=strength, solver="svd") if strength else LinearRegression()
    peer.fit(X, y, sample_weight=weight)
    assert found == pytest.approx(peer.coef_, rel=1e-9)
    assert intercept == pytest.approx(peer.intercept_, rel=1e-9)


def test_a_column_that_repeats_another_is_no_trouble(backend: Backend) -> None:
    x = np.arange(10.0)
    found, intercept = least_squares(backend, np.c_[x, x], 3 * x + 1)
    assert found == pytest.approx([1.5, 1.5])
    assert intercept == pytest.approx(1)


@given(seed=st.integers(0, 1000), strength=st.floats(0, 100))
def test_backends_agree(seed: int, strength: float) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    expected, intercept = least_squares(numpy_backend(), X, y, strength=strength)
    for backend in other_backends():
        coefficients, other_intercept = least_squares(backend, X, y, strength=strength)
        assert coefficients == pytest.approx(expected, abs=1e-12)
        assert other_intercept == pytest.approx(intercept, abs=1e-12)


@given(st.integers(0, 100))
def test_a_stronger_penalty_never_gives_larger_coefficients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(40, 5)), rng.normal(size=40)
    sizes = [
        float(np.linalg.norm(least_squares(numpy_backend(), X, y, strength=s)[0]))
        for s in (0.0, 0.5, 5.0, 50.0)
    ]
    assert all(small <= large + 1e-12 for large, small in itertools.pairwise(sizes))


def test_a_fitted_model_leaves_its_backend_behind() -> None:
    model = LeastSquares(backend=STRICT).fit(np.arange(6.0).reshape(3, 2), [1, 2, 3])
    assert model.__getstate__()["backend"] is None
    assert isinstance(model.coef_, np.ndarray)


def test_cupy_without_a_device_is_one_clear_error() -> None:
    from lockgate.builtin.backends.cupy import Cupy

    try:
        Cupy().arrays()
    except BackendUnavailable as found:
        reason = found
    else:
        pytest.skip("there is a CUDA device here")
    assert "backend=numpy" in str(reason)
