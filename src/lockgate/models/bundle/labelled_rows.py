"""Rows with a known target, as a bundle takes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.recipes import NUMERIC, UNSUPERVISED
from lockgate.contract.tables import Schema, Table
from lockgate.errors import SchemaViolation
from lockgate.models.bundle.open import Bundle
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["keep_labelled", "read_rows", "read_test_rows", "table_of"]


def keep_labelled(frame: pd.DataFrame, targets: Sequence[str], where: str) -> pd.DataFrame:
    """Return the rows whose targets are known, all without any; `where` names their source.

    Raises
    ------
    SchemaViolation
        If the target column is missing, or has no value at all.

    """
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise SchemaViolation([f"column {repeated[0]} is there twice"])
    if not targets:
        return frame
    for target in targets:
        if target not in frame:
            hint = nearest(str(target), map(str, frame.columns))
            raise SchemaViolation([f"target column {target} is missing{hint}"])
    known = frame[frame[list(targets)].notna().all(axis=1)].reset_index(drop=True)
    if not len(known):
        columns = ", ".join(targets)
        raise SchemaViolation([f"{where}: no row has a value in target column {columns}"])
    return known


def table_of(bundle: Bundle, known: pd.DataFrame) -> Table:
    """Build a table of rows with a known target, matched to a bundle's columns.

    Raises
    ------
    SchemaViolation
        If the rows do not match the bundle's schema.

    """
    import pandas as pd

    from lockgate.data.conform import conform_to_schema

    schema = bundle.manifest.schema
    targets = schema.targets
    if not targets and bundle.manifest.task not in UNSUPERVISED:
        raise SchemaViolation(
            [
                "the bundle does not name its target, so that it cannot be evaluated: pack the "
                "model with y"
            ]
        )
    for target in targets:
        if target not in known:
            raise SchemaViolation([f"target column {target} is missing"])
        if bundle.manifest.task in NUMERIC and not pd.api.types.is_numeric_dtype(known[target]):
            raise SchemaViolation([f"target column {target} is not numeric"])
        if bundle.manifest.task in NUMERIC and np.isinf(known[target].to_numpy(float)).any():
            raise SchemaViolation([f"target column {target} has infinite values"])
    features = conform_to_schema(known, schema)
    for name in (*targets, schema.group, schema.weight):
        if name is not None and name in known:
            features[name] = known[name]
    if schema.group in features:
        # of any types, as rows of a group are only told from those of others
        features[schema.group] = pd.factorize(features[schema.group], use_na_sentinel=False)[0]
    if schema.weight in features:
        features[schema.weight] = _weights(features[schema.weight], str(schema.weight))
    role_columns = {role: getattr(schema, role) for role in ("group", "weight")}
    absent: dict[str, Any] = {
        role: None for role, name in role_columns.items() if name not in features
    }
    return Table(features, dataclasses.replace(schema, **absent))


def _weights(cells: pd.Series[Any], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the weights of rows; raise where they are none."""
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(cells):
        raise SchemaViolation([f"weight column {name} is not numeric"])
    weights = cells.to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise SchemaViolation(
            [f"weight column {name} needs finite values of at least 0, some of them above"]
        )
    return np.asarray(weights)


def read_rows(path: Path, schema: Schema) -> pd.DataFrame:
    """Read the rows of a file whose target is known; cells are read as predictions read them."""
    from lockgate.data.io.frames import read_frame

    frame = read_frame(path, schema.columns, schema.csv)
    return keep_labelled(frame, schema.targets, str(path))


def read_test_rows(project: Path, schema: Schema) -> pd.DataFrame | None:
    """Read the test rows that a project prepared, with all columns; None where it has none."""
    from lockgate.data.io.frames import read_frame
    from lockgate.data.io.prepared import prepared_file, read_with_left_out

    test = prepared_file(project, "test")
    if not test.is_file():
        return None
    frame = read_with_left_out(read_frame(test, schema.columns, schema.csv), project)
    return keep_labelled(frame, schema.targets, str(test))
