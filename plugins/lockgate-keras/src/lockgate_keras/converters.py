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
    op = _add_network(trace, op, estimator.network)
    if not hasattr(estimator, "classes_"):
        return value_of(op)
    width = trace.builder.width(op)
    classes, logits = tuple(estimator.classes_.tolist()), estimator.returns_logits(width)
    if width > 1:
        share = trace.builder.add("softmax", op) if logits else op
        return by_score(trace, classes, share)
    if logits:
        return by_margin(trace, classes, op)
    label = trace.builder.add("above", op, limit=0.5, strict=True)
    return lockgate.ConvertedModel(label, classes, op)


def _add_network(trace: Trace, op: int, network: Any) -> int:
    """Add the layers of a network; NotCovered for what they cannot be added for."""
    from lockgate_keras.keras_layers import add_keras
    from lockgate_keras.networks import library_of
    from lockgate_keras.torch_layers import add_torch

    add = add_keras if library_of(network) == "keras" else add_torch
    try:
        return add(trace, op, network)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise trace.refuse(
            f"the network is not built of plain layers ({type(error).__name__}: {error}); use "
            "format=keras"
        ) from error
    except lockgate.PackedFormatError as error:
        raise trace.refuse(
            f"the network has a layer that does not fit a row of numbers: {error}; use format=keras"
        ) from error
