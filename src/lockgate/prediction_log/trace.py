"""Traces a prediction: from its id to its inputs, model, labels and origin."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError
from lockgate.prediction_log.ids import parse_prediction_id
from lockgate.prediction_log.reader import find_labels, find_prediction

__all__ = ["LOG", "trace"]

LOG = "log"
"""Folder of the prediction log in a deployment directory."""


def trace(deployment: Deployment, prediction_id: str) -> dict[str, Any] | None:
    """Return everything known about a prediction; None if the log does not contain it.

    Parameters
    ----------
    deployment : Deployment
        The deployment directory with the log.
    prediction_id : str
        The id in the response, with ``.ROW`` for one of several rows.

    Raises
    ------
    LogError
        If `prediction_id` is not valid, or names a row that the request did not have.

    """
    try:
        writer, count, row = parse_prediction_id(prediction_id)
    except ValueError as error:
        raise LogError(str(error)) from None
    deployment.pointer()  # raises if this is not a deployment directory
    folder = deployment.path / LOG
    prediction = find_prediction(folder, writer, count)
    if prediction is None:
        return None
    rows = list(prediction.rows())
    if row >= len(rows):
        raise LogError(f"{prediction_id} names row {row}, but the request had {len(rows)} rows")
    inputs, label, score, key = rows[row]
    manifest = deployment.manifest(prediction.model.digest)
    record: dict[str, Any] = {
        "id": prediction_id,
        "time": prediction.time.isoformat(),
        "model": prediction.model.name,
        "version": prediction.model.version,
        "stage": prediction.model.stage,
        "bundle": prediction.model.digest,
        "inputs": inputs,
        "label": label,
        "score": score,
    }
    if prediction.entry.margin is not None:
        record["margin"] = (
            prediction.entry.margin[row] if prediction.entry.rows else prediction.entry.margin
        )
    if key is not None:
        record["key"] = key
    if prediction.entry.trace:
        record["traceparent"] = prediction.entry.trace
    record["labels"] = [
        {"label": later_label.label, "at": later_label.at, "by": later_label.by}
        for later_label in find_labels(folder, writer, count, key)
        if not later_label.writer or later_label.row == row
    ]
    if manifest is None:
        record["origin"] = "unknown: the bundle's manifest has been deleted"
    else:
        record["origin"] = {
            "hashes": msgspec.to_builtins(manifest.hashes),
            "environment": msgspec.to_builtins(manifest.environment),
            "threshold": manifest.threshold,
            "classes": manifest.classes,
            "files": manifest.files,
        }
    return record
