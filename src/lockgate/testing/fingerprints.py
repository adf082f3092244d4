"""Reduces requests and results to plain values that can be compared."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lockgate.contract.evaluation import Report
from lockgate.contract.gates import GateResult
from lockgate.contract.modeling import Candidate, Trial
from lockgate.contract.requests import Backend, Request
from lockgate.contract.tables import Table

__all__ = ["fingerprint", "inputs_of"]

CONTEXT_FIELDS = {field.name for field in dataclasses.fields(Request)}


def inputs_of(request: Request) -> dict[str, Any]:
    """Return the fields of a request that are data: no functions, no common fields."""
    return {
        field.name: getattr(request, field.name)
        for field in dataclasses.fields(request)
        if field.name not in CONTEXT_FIELDS and not callable(getattr(request, field.name))
    }


def fingerprint(value: Any) -> Any:
    """Reduce a value to plain data that is equal for equal values; times are left out."""
    if isinstance(value, pd.DataFrame):
        row_hashes = pd.util.hash_pandas_object(value).to_numpy().tobytes()
        return row_hashes, tuple(map(str, value.columns)), tuple(map(str, value.dtypes))
    if isinstance(value, Table):
        return fingerprint(value.frame), fingerprint(value.schema)
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, tuple(map(repr, value.ravel().tolist()))
    if isinstance(value, Trial):
        return fingerprint(value.params), repr(value.loss)
    if isinstance(value, Candidate):
        parts = (value.params, value.threshold, value.packed)
        return (
            fingerprint(parts),
            _fingerprint_object(value.estimator),
            _fingerprint_object(value.recipe.estimator),
        )
    if isinstance(value, (Report, GateResult)) and value.nondeterministic:
        return tuple(sorted(value.metrics))
    if isinstance(value, Backend):
        return value.name
    return _fingerprint_nested(value)


def _fingerprint_nested(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((str(key), fingerprint(entry)) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(fingerprint(entry) for entry in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return tuple((name, fingerprint(getattr(value, name))) for name in names)
    return _fingerprint_object(value)


def _fingerprint_object(value: Any) -> Any:
    """Return the content of an object, or its type where it cannot be serialized."""
    if isinstance(value, (str, int, float, bool, type(None), bytes)):
        return repr(value)
    try:
        # pickle is safe here: the bytes are compared and never loaded
        return pickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError):
        return type(value).__qualname__
