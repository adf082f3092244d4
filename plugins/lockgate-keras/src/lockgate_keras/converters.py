"""The converter of dense networks: those that lockgate trained, and those of Keras and PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import lockgate

if TYPE_CHECKING:
    from lockgate.models.converters.trace import Trace

__all__ = ["Keras"]

FLOAT32 = 1e-5
"""Largest difference from a network that computes in 32 bits, relative for values above 1."""


@lockgate.plugin
class Keras:
    """Dense networks of Keras and PyTorch; these compute in 32 bits: scores may differ by 1e-5."""

    model_types: ClassVar = (
        "lockgate_keras.estimators.DenseClassifier",
        "lockgate_keras.estimators.DenseRegressor",
    )

    @lockgate.hookimpl
    def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
        """Convert the layers."""
        # this converter uses more of the trace than the contract promises
        trace, estimator = cast("Trace", request.trace), request.estimator
        columns = list(request.columns)
        trace.require_no_missing(columns)
        rows = trace.numbers(columns)
        if hasattr(estimator, "network"):
            return _convert_network(trace, rows, estimator)
        return _convert_dense(trace, rows, estimator)


def _convert_dense(trace: Trace, op: int, estimator: Any) -> lockgate.ConvertedModel:
    """Convert a network that lockgate trained; it predicts in 64 bits."""
    from lockgate.models.converters.outputs import by_margin, value_of
    from lockgate_keras.activations import LayerWriter

    writer = LayerWriter(trace)
    for k, (weights, bias) in enumerate(trace.attribute(estimator, "layers_")):
        op = writer.dense(writer.activated(op, "relu") if k else op, weights.T, bias)
    if not hasattr(estimator, "classes_"):
        return value_of(op)
    return by_margin(trace, estimator.classes_, op)


def _convert_network(trace: Trace, op: int, estimator: Any) -> lockgate.ConvertedModel:
    """Convert a network that was trained elsewhere."""
    from lockgate.models.converters.outputs import by_margin, by_score, value_of

    trace.allow_tolerance(FLOAT32)
    if not hasattr(estimator, "classes_"):
        op = _add_network(trace, op, estimator.network, until="")
        trace.require(trace.builder.width(op) == 1, "several outputs; fit one network for each")
        return value_of(op)
    classes = estimator.classes_
    last = "sigmoid" if len(classes) == 2 else "softmax"
    sums = _add_network(trace, op, estimator.network, until=last)
    if len(classes) == 2 and trace.builder.width(sums) == 2:
        sums = _add_network(trace, op, estimator.network, until="softmax")
        return by_score(trace, classes, trace.builder.add("softmax", sums))
    return by_margin(trace, classes, sums)


def _add_network(trace: Trace, op: int, network: Any, *, until: str) -> int:
    """Add the layers of a network, but not its last activation where that is `until`."""
    from lockgate_keras.keras_layers import add_keras
    from lockgate_keras.networks import ending_of, library_of
    from lockgate_keras.torch_layers import add_torch

    add = add_keras if library_of(network) == "keras" else add_torch
    return add(trace, op, network, skip_last=ending_of(network) == until)
