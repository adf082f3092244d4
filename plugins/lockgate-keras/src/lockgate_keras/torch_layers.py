"""Modules of PyTorch as operations of a packed model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate_keras.activations import LayerWriter, class_name

if TYPE_CHECKING:
    from lockgate.contract.conversion import ConversionTrace

__all__ = ["add_torch", "torch_ending", "torch_outputs"]

PASSED = ("AlphaDropout", "Dropout", "Flatten", "Identity")
"""Modules that change nothing in a prediction of rows."""

ACTIVATION_MODULES = {
    "ELU": "elu",
    "Hardsigmoid": "hard_sigmoid",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ReLU": "relu",
    "ReLU6": "relu6",
    "SELU": "selu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Tanh": "tanh",
}
"""Keras' names of PyTorch's activations."""


def torch_outputs(network: Any, rows: np.ndarray) -> np.ndarray:
    """Return what a module returns for rows of 32 bits, as it predicts."""
    import torch

    trains = network.training
    network.eval()
    try:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(rows)).cpu().numpy())
    finally:
        network.train(trains)


def torch_ending(module: Any) -> str:
    """Return what a module ends in: ``linear``, ``sigmoid``, ``softmax``, or what else it is."""
    name = class_name(module)
    if name == "Sequential":
        endings = (torch_ending(part) for part in reversed(list(module)))
        return next((ending for ending in endings if ending), "")
    if name in PASSED:
        return ""
    if name == "Softmax" and module.dim in (1, -1):
        return "softmax"
    return {"Linear": "linear", "Sigmoid": "sigmoid"}.get(name, f"the module {name}")


def add_torch(trace: ConversionTrace, op: int, network: Any) -> int:
    """Add a module of PyTorch: torch.nn.Sequential, also in another."""
    writer = LayerWriter(trace)
    for module in _chain(trace, network):
        name = class_name(module)
        if name in ("Linear", "BatchNorm1d"):
            arrays = {
                key: value.detach().cpu().numpy().astype(float)
                for key, value in module.state_dict().items()
            }
            op = _add_arrays(trace, writer, op, module, arrays)
        elif name in ACTIVATION_MODULES:
            op = writer.activated(op, ACTIVATION_MODULES[name], _parameter_of(trace, module))
        else:
            trace.require(
                name in PASSED,
                f"module {name}; use "
                f"{', '.join(sorted({'Linear', 'BatchNorm1d', *ACTIVATION_MODULES, *PASSED}))}",
            )
    return op


def _chain(trace: ConversionTrace, module: Any) -> list[Any]:
    """Return the modules of a chain, those of chains in it included."""
    if class_name(module) == "Sequential":
        return [part for child in module for part in _chain(trace, child)]
    trace.require(
        not list(module.children()),
        f"{class_name(module)} computes in code of its own; build the network as "
        "torch.nn.Sequential",
    )
    return [module]


def _add_arrays(
    trace: ConversionTrace,
    writer: LayerWriter,
    op: int,
    module: Any,
    arrays: Mapping[str, np.ndarray],
) -> int:
    if class_name(module) == "Linear":
        weights = arrays["weight"]
        return writer.dense(op, weights, arrays.get("bias", np.zeros(len(weights))))
    trace.require(
        "running_mean" in arrays, "BatchNorm1d(track_running_stats=False) depends on other rows"
    )
    mean = arrays["running_mean"]
    factor = arrays.get("weight", np.ones_like(mean)) / np.sqrt(arrays["running_var"] + module.eps)
    return writer.scaled(op, factor, arrays.get("bias", np.zeros_like(mean)) - mean * factor)


def _parameter_of(trace: ConversionTrace, module: Any) -> float | np.ndarray | None:
    name = class_name(module)
    if name == "LeakyReLU":
        return float(module.negative_slope)
    if name == "ELU":
        return float(module.alpha)
    if name == "PReLU":
        return np.asarray(module.weight.detach().cpu().numpy(), dtype=float)
    if name == "Softmax":
        trace.require(module.dim in (1, -1), f"Softmax(dim={module.dim}); use dim=1")
    if name == "Softplus":
        trace.require(
            module.beta == 1 and module.threshold >= 20,
            f"Softplus(beta={module.beta}, threshold={module.threshold}); use the defaults",
        )
    return None
