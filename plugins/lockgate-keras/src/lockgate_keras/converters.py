"""The converter of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

import lockgate

if TYPE_CHECKING:
    from lockgate.models.converters.trace import Trace
    from lockgate_keras.training import DenseLayers

__all__ = ["Keras"]


@lockgate.plugin
class Keras:
    """Dense networks."""

    model_types: ClassVar = (
        "lockgate_keras.estimators.DenseClassifier",
        "lockgate_keras.estimators.DenseRegressor",
    )

    @lockgate.hookimpl
    def convert(self, request: lockgate.ConvertRequest) -> lockgate.ConvertedModel:
        """Convert the layers."""
        from lockgate.models.converters.outputs import by_margin, value_of

        # this converter uses more of the trace than the contract promises
        trace, estimator = cast("Trace", request.trace), request.estimator
        columns = list(request.columns)
        trace.require_no_missing(columns)
        sums = _add_layers(trace, trace.numbers(columns), trace.attribute(estimator, "layers_"))
        if not hasattr(estimator, "classes_"):
            return value_of(sums)
        return by_margin(trace, estimator.classes_, sums)


def _add_layers(trace: Trace, op: int, layers: DenseLayers) -> int:
    """Add dense layers with rectifiers between them."""
    array, add = trace.builder.array, trace.builder.add
    for k, (weights, bias) in enumerate(layers):
        if k:
            op = add("apply", op, function="relu")
        op = add("linear", op, weights=array(np.ascontiguousarray(weights.T)), bias=array(bias))
    return op
