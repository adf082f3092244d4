"""What gates are asked and what they answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lockgate.contract.evaluation import Metric, ValueMatrix
from lockgate.contract.modeling import Task
from lockgate.contract.monitoring import ReferenceCounts
from lockgate.contract.prediction import Output, Predictor
from lockgate.contract.requests import Request
from lockgate.contract.tables import Schema, Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BundleOrigin", "EvaluatedBundle", "GateResult", "JudgeRequest"]


@dataclass(frozen=True)
class EvaluatedBundle:
    """A bundle before the gates: the one that is to go in, or the one that is there.

    Attributes
    ----------
    name, version : str
        Which model, and its version; the beginning of the digest where it has none.
    digest : str
        The bundle's.
    inputs : Schema
        What it asks for.
    task : {"binary", "multiclass", "regression"}
        What it answers.
    classes : tuple
        Labels in the order of the scores.
    threshold : float or None
        Score from which the second of two classes is answered.
    value_matrix : Worth or None
        What each outcome is worth.
    predictor : Predictor
        The model, opened.
    reference : Reference
        What it was trained on, counted.
    model_bytes : int
        Size of the model's files.
    reported_metrics : mapping of str to mapping of str to float
        Estimates that lie in the bundle, by evaluator and figure.
    table : Table or None
        The case's rows with a known target, as this model takes them.
    output : Output or None
        Its answers to them.
    metrics : mapping of str to mapping of str to Metric
        What evaluators measured on them just now.
    not_measured_because : str
        Why nothing was measured, where it was not.

    """

    name: str
    version: str
    digest: str
    inputs: Schema
    task: Task
    classes: tuple[Any, ...]
    threshold: float | None
    value_matrix: ValueMatrix | None
    predictor: Predictor
    reference: ReferenceCounts
    model_bytes: int
    reported_metrics: Mapping[str, Mapping[str, float]]
    table: Table | None = None
    output: Output | None = None
    metrics: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    not_measured_because: str = ""


@dataclass(frozen=True)
class BundleOrigin:
    """What the ledger knows of where a bundle comes from.

    Attributes
    ----------
    lineage : {"pipeline", "declared", "unknown"}
        Whether a commit's ``dvc.lock`` names it, its maker says where it is from, or nobody.
    commit : str or None
        Commit of the code, from a clean tree.
    signed_by : str or None
        Who registered it with a key that may.
    attested : bool or None
        Whether building it again gave the same bytes; None where nobody tried.

    """

    lineage: str = "unknown"
    commit: str | None = None
    signed_by: str | None = None
    attested: bool | None = None


@dataclass(frozen=True, kw_only=True)
class JudgeRequest(Request):
    """What a gate is asked to rule on.

    Attributes
    ----------
    candidate : Contestant
        Who wants to go in.
    incumbent : Contestant or None
        Who is there; measured on the same rows in the same run.
    stage : str
        Where.
    rows : DataFrame or None
        The rows as they were read, all columns, in the order of the tables.
    today : DataFrame or None
        Recent rows, for gates that ask whether the data are still what they were.
    origin : Origin
        Where the candidate comes from.

    """

    candidate: EvaluatedBundle
    incumbent: EvaluatedBundle | None = None
    stage: str = "prod"
    rows: pd.DataFrame | None = None
    today: pd.DataFrame | None = None
    origin: BundleOrigin = BundleOrigin()


@dataclass(frozen=True)
class GateResult:
    """What a gate says.

    Attributes
    ----------
    passed : bool or None
        None where there is nothing to say, e.g. without an incumbent: it stops nobody.
    message : str
        Why, with figures and units; where it did not pass, what would.
    metrics : mapping of str to float
        What was measured.
    nondeterministic : bool
        Whether it depends on the machine and the moment (latency).

    """

    passed: bool | None
    message: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    nondeterministic: bool = False

    def __post_init__(self) -> None:
        """Refuse what no verdict could show."""
        kind = type(self.passed)
        if kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"):
            # comparing NumPy numbers gives its own booleans, which JSON cannot hold
            object.__setattr__(self, "passed", bool(self.passed))
        if not (self.passed is None or isinstance(self.passed, bool)):
            raise TypeError(f"passed is {self.passed!r}; expected True, False or None")
        if not self.message.strip():
            raise ValueError("a gate result needs a message that says why")
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; leave out what was not measured")
