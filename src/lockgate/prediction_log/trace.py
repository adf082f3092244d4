"""From an id to everything that is known of the answer."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError
from lockgate.prediction_log.ids import parse_receipt
from lockgate.prediction_log.reader import find, find_labels

__all__ = ["LOG", "trace"]

LOG = "log"
"""Folder of the prediction log in a deployment directory."""


def trace(deployment: Deployment, receipt: str) -> dict[str, Any] | None:
    """Return what is known of an answer, as plain data; None if its log is not here.

    Raises
    ------
    LogError
        If `receipt` is no id, or asks for a row that the request did not have.

    """
    try:
        writer, count, row = parse_receipt(receipt)
    except ValueError as error:
        raise LogError(str(error)) from None
    deployment.pointer()  # says so where it is no deployment directory
    folder = deployment.path / LOG
    found = find(folder, writer, count)
    if found is None:
        return None
    rows = list(found.rows())
    if row >= len(rows):
        raise LogError(f"{receipt} asks for row {row}, the request had {len(rows)}")
    inputs, label, score, key = rows[row]
    manifest = deployment.manifest(found.model.digest)
    said: dict[str, Any] = {
        "id": receipt,
        "time": found.time.isoformat(),
        "model": found.model.name,
        "version": found.model.version,
        "stage": found.model.stage,
        "bundle": found.model.digest,
        "inputs": inputs,
        "label": label,
        "score": score,
    }
    if found.entry.margin is not None:
        said["margin"] = found.entry.margin[row] if found.entry.rows else found.entry.margin
    if key is not None:
        said["key"] = key
    if found.entry.trace:
        said["traceparent"] = found.entry.trace
    said["labels"] = [
        {"label": one.label, "at": one.at, "by": one.by}
        for one in find_labels(folder, writer, count, key)
        if not one.writer or one.row == row
    ]
    if manifest is None:
        said["origin"] = "unknown: the bundle's manifest is not here any more"
    else:
        said["origin"] = {
            "hashes": msgspec.to_builtins(manifest.hashes),
            "environment": msgspec.to_builtins(manifest.environment),
            "threshold": manifest.threshold,
            "classes": manifest.classes,
            "files": manifest.files,
        }
    return said
