"""What the Open Inference Protocol says about a model: metadata, configuration, statistics.

Source: Open Inference Protocol, "Predict Protocol - Version 2"; Triton's extensions "Model
Configuration" and "Statistics".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lockgate.contract.prediction import value_columns
from lockgate.serving.prediction.model_store import LoadedModel
from lockgate.serving.telemetry.worker_metrics import WorkerMetrics

__all__ = ["configuration", "metadata", "output_datatypes", "statistics"]


INPUT_DATATYPES = {"number": "FP64", "integer": "FP64", "boolean": "BOOL"}
"""Datatypes of inputs by kind; all others are BYTES."""


def output_datatypes(model: LoadedModel) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return outputs by name: datatype, and the axes behind the rows."""
    predictor = model.predictor
    region = model.manifest.region
    if model.regression:
        names = value_columns(model.value_names) + (() if region is None else ("low", "high"))
        return dict.fromkeys(names, ("FP64", ()))
    types = {type(class_label) for class_label in predictor.classes} or {float}
    datatypes = {int: "INT64", bool: "BOOL", float: "FP64"}
    label = datatypes.get(types.pop(), "BYTES") if len(types) == 1 else "BYTES"
    outputs: dict[str, tuple[str, tuple[int, ...]]] = {"label": (label, ())}
    for name in ("score", "margin"):
        if name in predictor.outputs:
            of_each = predictor.task in ("multiclass", "clustering")
            outputs[name] = ("FP64", (len(predictor.classes),) if of_each else ())
            break
    if region is not None:
        outputs["set"] = ("BOOL", (len(predictor.classes),))
    return outputs


def _inputs(model: LoadedModel) -> list[tuple[str, str]]:
    return [
        (column.name, INPUT_DATATYPES.get(column.kind, "BYTES"))
        for column in model.predictor.inputs
    ]


def metadata(model: LoadedModel, versions: list[str]) -> dict[str, Any]:
    """Return the metadata of a model."""
    return {
        "name": model.name,
        "versions": versions,
        "platform": f"lockgate_{model.manifest.format}",
        "inputs": [
            {"name": name, "datatype": datatype, "shape": [-1, 1]}
            for name, datatype in _inputs(model)
        ],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1, *axes]}
            for name, (datatype, axes) in output_datatypes(model).items()
        ],
        "parameters": {
            "bundle": model.digest,
            "stage": model.stage,
            "version": model.version,
            **{name: value for name, value in model.prediction_facts.items() if name != "targets"},
        },
    }


def configuration(model: LoadedModel, max_rows: int) -> dict[str, Any]:
    """Return the configuration of a model, as Triton names its fields."""
    return {
        "name": model.name,
        "platform": f"lockgate_{model.manifest.format}",
        "max_batch_size": max_rows,
        "input": [
            {"name": name, "data_type": _type_name(datatype), "dims": [1]}
            for name, datatype in _inputs(model)
        ],
        "output": [
            {"name": name, "data_type": _type_name(datatype), "dims": list(axes) or [1]}
            for name, (datatype, axes) in output_datatypes(model).items()
        ],
    }


def _type_name(datatype: str) -> str:
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"


def statistics(models: Iterable[LoadedModel], metrics: Iterable[WorkerMetrics]) -> dict[str, Any]:
    """Return how many rows each model predicted, in how many batches, in all workers.

    Times are not measured for each model; see the histogram of all requests in the metrics.
    """
    workers = list(metrics)
    return {
        "model_stats": [
            {
                "name": model.name,
                "version": model.version,
                "last_inference": round(
                    1000
                    * max((worker.latest.get(model.address, 0) for worker in workers), default=0)
                ),
                "inference_count": sum(worker.rows.get(model.address, 0) for worker in workers),
                "execution_count": sum(
                    worker.executions.get(model.address, 0) for worker in workers
                ),
            }
            for model in models
        ]
    }
