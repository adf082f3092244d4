"""The kinds of plugin, as one table from which everything else is derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lockgate.contract.conversion import Engine, Fitted, Outcome
from lockgate.contract.evaluation import Exam, Report
from lockgate.contract.gates import Case, Ruling
from lockgate.contract.modeling import Brief, Candidate, Problem, Recipe, Search, Shrink
from lockgate.contract.monitoring import Findings, Watch
from lockgate.contract.prediction import ModelFiles, Predictor
from lockgate.contract.requests import Backend
from lockgate.contract.tables import LoadRequest, Table

__all__ = ["CONFIGURED", "CONTRACT", "CONTRACTS_SERVED", "KINDS", "Kind", "kind"]

CONTRACT = 1
"""Version of the contract that this lockgate offers; raised when a value gains a field."""

CONTRACTS_SERVED = range(1, CONTRACT + 1)
"""Versions that a plugin may have been written for."""

Calling = Literal["one", "chain", "all", "named", "found", "asked"]


@dataclass(frozen=True)
class Kind:
    """A place where plugins fit.

    Attributes
    ----------
    name : str
        Name of the kind; also the Hydra group and the key in ``params.yaml``.
    hook : str
        Name of the operation hook that a plugin of this kind implements.
    argument : str
        Name of the hook's one argument.
    request, answer : type
        What the hook takes (None: nothing) and what it gives.
    calling : {"one", "chain", "all", "named", "found", "asked"}
        One is chosen; or several in the order written, each fed by the one
        before; or all chosen, results gathered; or the one a manifest names; or
        the one that has the name of a fitted model's library; or the one that
        is asked for by name when answers are computed.
    summary : str
        What such a plugin does, in one line.

    """

    name: str
    hook: str
    argument: str
    request: type | None
    answer: type
    calling: Calling
    summary: str

    @property
    def entry_points(self) -> str:
        """Name of the entry-point group, e.g. ``lockgate.compressor``."""
        return f"lockgate.{self.name}"

    @property
    def configured(self) -> bool:
        """Whether a configuration chooses it."""
        return self.calling not in ("found", "asked")

    @property
    def several(self) -> bool:
        """Whether a configuration may choose more than one."""
        return self.calling in ("chain", "all")


KINDS: tuple[Kind, ...] = (
    Kind(
        "loader",
        "load",
        "request",
        LoadRequest,
        Table,
        "one",
        "Read a table and say what its columns mean.",
    ),
    Kind(
        "model",
        "build",
        "brief",
        Brief,
        Recipe,
        "one",
        "Propose an unfitted estimator and its search space.",
    ),
    Kind(
        "optimizer",
        "optimize",
        "problem",
        Problem,
        Search,
        "one",
        "Choose the parameters of a recipe by measuring them.",
    ),
    Kind(
        "compressor",
        "compress",
        "shrink",
        Shrink,
        Candidate,
        "chain",
        "Make a fitted model smaller or faster.",
    ),
    Kind(
        "evaluator",
        "evaluate",
        "exam",
        Exam,
        Report,
        "all",
        "Measure a model on rows it has never seen.",
    ),
    Kind(
        "monitor",
        "monitor",
        "watch",
        Watch,
        Findings,
        "all",
        "Compare what a model sees now with what it was trained on.",
    ),
    Kind(
        "gate",
        "judge",
        "case",
        Case,
        Ruling,
        "all",
        "Say whether a bundle may take the place of the one that serves.",
    ),
    Kind(
        "backend",
        "arrays",
        "",
        None,
        Backend,
        "one",
        "Offer an array library and a device to compute on.",
    ),
    Kind(
        "format",
        "open",
        "files",
        ModelFiles,
        Predictor,
        "named",
        "Open a model file without running code from it.",
    ),
    Kind(
        "converter",
        "convert",
        "fitted",
        Fitted,
        Outcome,
        "found",
        "Turn another library's fitted models into packed ones.",
    ),
    Kind(
        "engine",
        "compile",
        "",
        None,
        Engine,
        "asked",
        "Walk the trees of packed models in another way.",
    ),
)


CONFIGURED = tuple(one for one in KINDS if one.configured)
"""Kinds that a configuration chooses plugins of."""


def kind(name: str) -> Kind:
    """Return the kind of that name; KeyError if there is none.

    Examples
    --------
    >>> kind("compressor").entry_points
    'lockgate.compressor'

    """
    for candidate in KINDS:
        if candidate.name == name:
            return candidate
    raise KeyError(name)
