"""Cases for gates, built from real bundles as the command line builds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

import lockgate
from lockgate.models.bundle.evaluation import (
    default_evaluators,
    estimates,
    model_bytes,
    predict_and_evaluate,
)
from lockgate.models.bundle.labelled_rows import table_of
from lockgate.models.bundle.open import Bundle


def contestant(
    bundle: Bundle,
    version: str,
    rows: pd.DataFrame | None = None,
    evaluators: Mapping[str, object] | None = None,
    **changes: Any,
) -> lockgate.EvaluatedBundle:
    """A bundle as gates see it, measured on the rows where there are any."""
    manifest = bundle.manifest
    fields: dict[str, Any] = {
        "name": manifest.name,
        "version": version,
        "digest": bundle.digest,
        "schema": manifest.schema,
        "task": manifest.task,
        "classes": tuple(manifest.classes),
        "threshold": manifest.threshold,
        "value_matrix": manifest.value_matrix,
        "predictor": bundle.predictor,
        "reference": bundle.reference(),
        "model_bytes": model_bytes(bundle),
        "reported_metrics": estimates(bundle.metrics()),
        "not_measured_because": "no rows were given",
    }
    if rows is not None:
        table = table_of(bundle, rows)
        output, figures = predict_and_evaluate(
            bundle, table, evaluators or default_evaluators(manifest.task), rows
        )
        fields |= {"table": table, "output": output, "metrics": figures, "not_measured_because": ""}
    return lockgate.EvaluatedBundle(**(fields | changes))


def case(
    candidate: Bundle,
    incumbent: Bundle | None = None,
    rows: pd.DataFrame | None = None,
    **fields: Any,
) -> lockgate.JudgeRequest:
    """Version 1.1.0 before the gates of `prod`, where 1.0.0 is, or nothing."""
    old = None if incumbent is None else contestant(incumbent, "1.0.0", rows)
    return lockgate.JudgeRequest(
        candidate=contestant(candidate, "1.1.0", rows), incumbent=old, rows=rows, **fields
    )
