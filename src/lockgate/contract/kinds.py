"""The kinds of plugin, as a table from which everything else is derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lockgate.contract.compression import CompressRequest
from lockgate.contract.conversion import ConvertedModel, ConvertRequest, Engine
from lockgate.contract.evaluation import EvaluateRequest, Report
from lockgate.contract.gates import GateResult, JudgeRequest
from lockgate.contract.monitoring import Findings, MonitorRequest
from lockgate.contract.prediction import ModelFiles, OpenRequest, Predictor, WriteRequest
from lockgate.contract.recipes import BuildRequest, Candidate, Recipe
from lockgate.contract.requests import Backend
from lockgate.contract.search import OptimizeRequest, SearchResult
from lockgate.contract.tables import LoadRequest, Table

__all__ = [
    "CONFIGURED",
    "CONTRACT",
    "KINDS",
    "SUPPORTED_CONTRACTS",
    "Kind",
    "Operation",
    "kind",
]

CONTRACT = 1
"""Version of the contract that this lockgate provides; raised when a value gains a field."""

SUPPORTED_CONTRACTS = range(1, CONTRACT + 1)
"""Contract versions of plugins that can be loaded."""

Dispatch = Literal["one", "fused", "chain", "all", "manifest", "library", "on demand"]


@dataclass(frozen=True)
class Operation:
    """A hook with the types of its request and of its result."""

    hook: str
    request: type | None
    result: type


@dataclass(frozen=True)
class Kind:
    """A kind of plugin.

    Attributes
    ----------
    name : str
        Name of the kind; also the Hydra group and the key in ``params.yaml``.
    hook : str
        Name of the operation hook that a plugin of this kind implements.
    request, result : type
        Types of the hook's argument (None: no argument) and of its result.
    dispatch : {"one", "fused", "chain", "all", "manifest", "library", "on demand"}
        Which plugins are called. ``one``: the configured one. ``fused``: the configured one, or
        several whose results become one. ``chain``: each
        configured one with the result of the previous one. ``all``: every configured
        one. ``manifest``: the one that a bundle's manifest names. ``library``: the
        one with the name of the fitted model's library. ``on demand``: the one that
        a caller names.
    summary : str
        What such a plugin does, in one line.
    companion : Operation or None
        A further hook that a plugin of this kind may implement.

    """

    name: str
    hook: str
    request: type | None
    result: type
    dispatch: Dispatch
    summary: str
    companion: Operation | None = None

    def operation(self, hook: str | None = None) -> Operation:
        """Return the operation of a hook, by default of the one that every plugin has."""
        if self.companion is not None and hook == self.companion.hook:
            return self.companion
        return Operation(self.hook, self.request, self.result)

    @property
    def entry_points(self) -> str:
        """Name of the entry-point group, e.g. ``lockgate.compressor``."""
        return f"lockgate.{self.name}"

    @property
    def configured(self) -> bool:
        """Whether plugins of this kind are configured."""
        return self.dispatch not in ("library", "on demand")

    @property
    def several(self) -> bool:
        """Whether more than one may be configured."""
        return self.listed or self.dispatch == "fused"

    @property
    def listed(self) -> bool:
        """Whether the configuration has a list of them, which may be empty."""
        return self.dispatch in ("chain", "all")


KINDS: tuple[Kind, ...] = (
    Kind(
        "loader",
        "load",
        LoadRequest,
        Table,
        "one",
        "Read a table and declare what its columns mean.",
    ),
    Kind(
        "model",
        "build",
        BuildRequest,
        Recipe,
        "fused",
        "Return an unfitted estimator and its search space.",
    ),
    Kind(
        "optimizer",
        "optimize",
        OptimizeRequest,
        SearchResult,
        "one",
        "Choose the parameters of a recipe by measuring them.",
    ),
    Kind(
        "compressor",
        "compress",
        CompressRequest,
        Candidate,
        "chain",
        "Make a fitted model smaller or faster.",
    ),
    Kind(
        "evaluator",
        "evaluate",
        EvaluateRequest,
        Report,
        "all",
        "Measure a model on held-out rows.",
    ),
    Kind(
        "monitor",
        "monitor",
        MonitorRequest,
        Findings,
        "all",
        "Compare what a model receives now with its training data.",
    ),
    Kind(
        "gate",
        "judge",
        JudgeRequest,
        GateResult,
        "all",
        "Decide whether a bundle may replace the one in a stage.",
    ),
    Kind(
        "backend",
        "arrays",
        None,
        Backend,
        "one",
        "Offer an array library and a device to compute on.",
    ),
    Kind(
        "format",
        "open",
        OpenRequest,
        Predictor,
        "manifest",
        "Write a model to files, and open them without running code from them.",
        Operation("write", WriteRequest, ModelFiles),
    ),
    Kind(
        "converter",
        "convert",
        ConvertRequest,
        ConvertedModel,
        "library",
        "Turn another library's fitted models into packed ones.",
    ),
    Kind(
        "engine",
        "compile",
        None,
        Engine,
        "on demand",
        "Run the trees of packed models in another implementation.",
    ),
)
"""All kinds, in the order in which a model meets them."""


CONFIGURED = tuple(plugin_kind for plugin_kind in KINDS if plugin_kind.configured)
"""Kinds whose plugins are configured."""


def kind(name: str) -> Kind:
    """Return the kind of that name; raise KeyError for an unknown one.

    Examples
    --------
    >>> kind("compressor").entry_points
    'lockgate.compressor'

    """
    for candidate in KINDS:
        if candidate.name == name:
            return candidate
    raise KeyError(name)
