"""Traces a prediction: from its id to its inputs, model, labels and origin."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.contract.prediction import values_by_name
from lockgate.contract.recipes import NUMERIC
from lockgate.contract.regions import region_of_row
from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError
from lockgate.models.bundle.manifest import Manifest
from lockgate.prediction_log.ids import parse_prediction_id
from lockgate.prediction_log.reader import LoggedPrediction, find_labels, find_prediction

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
    damaged: dict[str, None] = {}
    prediction = find_prediction(folder, writer, count, damaged.setdefault)
    if prediction is None:
        if damaged:
            raise LogError(
                f"{prediction_id} is not in the files that can be read; {'; '.join(damaged)}"
            )
        return None
    rows = list(prediction.rows())
    if len(rows) > 1 and "." not in prediction_id:
        raise LogError(
            f"{prediction_id} has {len(rows)} rows; expected the id of one of them, from "
            f"{prediction_id}.0 to {prediction_id}.{len(rows) - 1}"
        )
    if row >= len(rows):
        raise LogError(f"{prediction_id} names row {row}, but the request had {len(rows)} rows")
    manifest = deployment.manifest(prediction.model.digest)
    is_regression = manifest is not None and manifest.task in NUMERIC
    record = _describe_prediction(
        prediction_id, prediction, row, "value" if is_regression else "label"
    )
    key = rows[row][3]
    record["labels"] = [
        {"label": later_label.label, "at": later_label.at, "by": later_label.by}
        for later_label in find_labels(folder, writer, count, key, damaged.setdefault)
        # a label by id is about one row; one by key is about any row with that key
        if not later_label.writer or later_label.row == row
    ]
    if damaged:
        record["left_out"] = list(damaged)
    if manifest is None:
        record["origin"] = "unknown: the bundle's manifest has been deleted"
    else:
        record["origin"] = _describe_origin(manifest)
        if manifest.task == "multioutput" and record["value"] is not None:
            record["value"] = values_by_name(manifest.schema.targets, record["value"])
        label, score = record["value" if is_regression else "label"], record["score"]
        interval, members = region_of_row(manifest.region, label, score, manifest.classes)
        regions = {"interval": interval, "set": members}
        record |= {name: part for name, part in regions.items() if part is not None}
    return record


def _describe_prediction(
    prediction_id: str, prediction: LoggedPrediction, row: int, output_name: str
) -> dict[str, Any]:
    inputs, label, score, key = list(prediction.rows())[row]
    model, entry = prediction.model, prediction.entry
    record: dict[str, Any] = {
        "id": prediction_id,
        "time": prediction.time.isoformat(),
        "model": model.name,
        "version": model.version,
        "stage": model.stage,
        "bundle": model.digest,
        "inputs": inputs,
        output_name: label,
        "score": score,
    }
    if entry.margin is not None:
        record["margin"] = entry.margin[row] if entry.rows else entry.margin
    if key is not None:
        record["key"] = key
    if entry.trace:
        record["traceparent"] = entry.trace
    return record


def _describe_origin(manifest: Manifest) -> dict[str, Any]:
    return {
        "hashes": msgspec.to_builtins(manifest.hashes),
        "environment": msgspec.to_builtins(manifest.environment),
        "threshold": manifest.threshold,
        "region": msgspec.to_builtins(manifest.region),
        "classes": manifest.classes,
        "files": manifest.files,
    }
