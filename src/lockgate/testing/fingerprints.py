"""Reduces requests and results to plain values that can be compared."""

from __future__ import annotations

import dataclasses
import functools
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lockgate.contract.evaluation import Report
from lockgate.contract.gates import GateResult
from lockgate.contract.recipes import Candidate
from lockgate.contract.requests import Backend, Request
from lockgate.contract.search import Trial
from lockgate.contract.tables import Table
from lockgate.modeling.training.estimators import get_classes, predict_output
from lockgate.testing.examples import example_table

__all__ = ["fingerprint", "inputs_of"]

CONTEXT_FIELDS = {field.name for field in dataclasses.fields(Request)}


def inputs_of(request: Request) -> dict[str, Any]:
    """Return the fields of a request that are data: no functions, no common fields."""
    return {
        field.name: getattr(request, field.name)
        for field in dataclasses.fields(request)
        if field.name not in CONTEXT_FIELDS and not callable(getattr(request, field.name))
    }


def fingerprint(value: Any, *, by_predictions: bool = False) -> Any:
    """Reduce a value to plain data that is equal for equal values; times are left out.

    Parameters
    ----------
    value : object
        A request's data, or a result.
    by_predictions : bool
        Compare fitted models by their predictions and others by their parameters: two models
        that predict the same may be written as other bytes.

    """
    reduce = functools.partial(fingerprint, by_predictions=by_predictions)
    if isinstance(value, (str, int, float, bool, type(None), bytes)):
        return repr(value)
    if isinstance(value, pd.DataFrame):
        row_hashes = pd.util.hash_pandas_object(value).to_numpy().tobytes()
        return row_hashes, tuple(map(str, value.columns)), tuple(map(str, value.dtypes))
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, tuple(map(repr, value.ravel().tolist()))
    if isinstance(value, Mapping):
        return tuple((str(key), reduce(entry)) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(reduce(entry) for entry in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fingerprint_value(value, reduce, by_predictions)
    if not by_predictions:
        return _pickled(value)
    parameters = value.get_params(deep=False) if hasattr(value, "get_params") else {}
    return type(value).__qualname__, reduce(parameters)


def _fingerprint_value(value: Any, reduce: Callable[[Any], Any], by_predictions: bool) -> Any:
    """Reduce a value of the contract."""
    if isinstance(value, Table):
        return reduce(value.frame), reduce(value.schema)
    if isinstance(value, Trial):
        return reduce(value.params), repr(
            (value.loss, value.losses, value.share, value.rounds, value.rung)
        )
    if isinstance(value, Candidate):
        parts = (value.params, value.threshold, value.packed, value.recipe.estimator)
        return reduce(parts), _predictions(value) if by_predictions else _pickled(value.estimator)
    if isinstance(value, (Report, GateResult)) and value.nondeterministic:
        return tuple(sorted(value.metrics))
    if isinstance(value, Backend):
        return value.name
    names = [field.name for field in dataclasses.fields(value)]
    return tuple((name, reduce(getattr(value, name))) for name in names)


def _predictions(candidate: Candidate) -> Any:
    """Return a fitted candidate's predictions for example rows."""
    if candidate.estimator is None:
        return None
    task = candidate.recipe.task
    names = getattr(candidate.estimator, "feature_names_in_", None)
    features, classes = example_table(task).features, get_classes(candidate.estimator)
    if names is not None and not set(names) <= set(features):
        return _pickled(candidate.estimator)  # it was fitted on rows of the author's
    output = predict_output(candidate.estimator, features, task, classes)
    return fingerprint(output.label), fingerprint(output.score)


def _pickled(value: Any) -> Any:
    """Return the content of an object, or its type where it cannot be serialized."""
    try:
        # pickle is safe here: the bytes are compared and never loaded
        return pickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError):
        return type(value).__qualname__
