"""Networks that users trained with PyTorch, packed and compared with what PyTorch computes.

PyTorch's packages for Linux bring three gigabytes of CUDA: `make test` does not install them.
``pip install torch`` in the environment, and these tests run.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lockgate

if importlib.util.find_spec("torch") is None:
    pytest.skip("PyTorch is not installed: 3 GB, see above", allow_module_level=True)

import torch
from torch import nn

from lockgate_keras.networks import NetworkClassifier, NetworkRegressor
from tests.extensions.test_keras_networks import WIDTH, held, rows

MODULES: dict[str, Callable[[], list[nn.Module]]] = {
    "ReLU": lambda: [nn.ReLU()],
    "ReLU6": lambda: [nn.ReLU6()],
    "LeakyReLU": lambda: [nn.LeakyReLU(0.05)],
    "PReLU": lambda: [nn.PReLU()],
    "PReLU by column": lambda: [nn.PReLU(5)],
    "ELU": lambda: [nn.ELU(0.7)],
    "SELU": lambda: [nn.SELU()],
    "SiLU": lambda: [nn.SiLU()],
    "Sigmoid": lambda: [nn.Sigmoid()],
    "Hardsigmoid": lambda: [nn.Hardsigmoid()],
    "Softmax": lambda: [nn.Softmax(dim=1)],
    "Softplus": lambda: [nn.Softplus()],
    "Tanh": lambda: [nn.Tanh()],
    "normalization": lambda: [nn.BatchNorm1d(5)],
    "normalization without weights": lambda: [nn.BatchNorm1d(5, affine=False)],
    "what training alone does": lambda: [nn.Dropout(0.5), nn.Flatten(), nn.Identity()],
    "a chain in the chain": lambda: [nn.Sequential(nn.Linear(5, 4, bias=False), nn.Tanh())],
}


def chain(*modules: nn.Module, outputs: int = 1) -> nn.Sequential:
    """A network whose normalization has seen rows."""
    torch.manual_seed(0)
    width = 4 if any(isinstance(module, nn.Sequential) for module in modules) else 5
    network = nn.Sequential(nn.Linear(WIDTH, 5), *modules, nn.Linear(width, outputs))
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
    network.train()
    network(torch.from_numpy(rows().astype("f4")))
    return network


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str, tmp_path: Path) -> None:
    network = chain(*MODULES[name]())
    held(NetworkRegressor(network), tmp_path)
    assert network.training  # it is given back as it came


@pytest.mark.parametrize(
    ("ends", "outputs", "classes"),
    [
        (None, 1, ["no", "yes"]),
        (nn.Sigmoid(), 1, ["no", "yes"]),
        (None, 3, ["a", "b", "c"]),
        (nn.Softmax(dim=-1), 3, ["a", "b", "c"]),
    ],
)
def test_classifiers(ends: Any, outputs: int, classes: list[str], tmp_path: Path) -> None:
    network = chain(nn.Tanh(), outputs=outputs)
    network = network if ends is None else nn.Sequential(network, ends)
    held(NetworkClassifier(network, classes), tmp_path)


SIGMOID = nn.Sigmoid()


@pytest.mark.parametrize(
    "end",
    [[SIGMOID, nn.Dropout(0.1)], [SIGMOID, nn.Identity(), nn.Sequential()]],
    ids=["dropout", "identity"],
)
def test_probabilities_are_taken_as_they_are(end: list[nn.Module], tmp_path: Path) -> None:
    # the same module twice, and what passes on after it
    network = nn.Sequential(nn.Linear(WIDTH, 4), SIGMOID, nn.Linear(4, 1), *end)
    bundle = held(NetworkClassifier(network, ["no", "yes"]), tmp_path, scaled=False)
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(rows(1).astype("f4"))).numpy()[:, 0]
    assert bundle.predict(rows(1)).score == pytest.approx(expected, abs=1e-5)


def test_an_end_that_does_not_say_what_it_returns_is_asked_for() -> None:
    network = nn.Sequential(nn.Linear(WIDTH, 1), nn.Hardsigmoid())
    with pytest.raises(lockgate.UsageError, match="ends in the module Hardsigmoid"):
        NetworkClassifier(network, ["no", "yes"]).predict(rows())


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Own(), "Own computes in code of its own; build the network as torch.nn.Sequential"),
        (
            nn.Sequential(nn.Linear(WIDTH, 1), nn.GELU()),
            "module GELU; use AlphaDropout, BatchNorm1d, ",
        ),
        (nn.Sequential(nn.Linear(WIDTH, 1), nn.Softplus(beta=2)), r"Softplus\(beta=2"),
        (
            nn.Sequential(nn.BatchNorm1d(WIDTH, track_running_stats=False), nn.Linear(WIDTH, 1)),
            "depends on other rows",
        ),
    ],
)
def test_what_has_no_packed_form_is_named(network: nn.Module, message: str, tmp_path: Path) -> None:
    with pytest.raises(lockgate.NotCovered, match=message):
        lockgate.pack(NetworkRegressor(network), rows(), path=tmp_path / "network")
