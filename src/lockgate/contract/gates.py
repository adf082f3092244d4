"""Requests to gates, and their results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lockgate.contract.evaluation import Metric, ValueMatrix
from lockgate.contract.monitoring import ReferenceCounts
from lockgate.contract.prediction import Output, Predictor
from lockgate.contract.recipes import Task
from lockgate.contract.requests import Request
from lockgate.contract.tables import Schema, Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BundleOrigin", "EvaluatedBundle", "GateResult", "JudgeRequest"]


@dataclass(frozen=True)
class EvaluatedBundle:
    """A candidate or incumbent bundle, evaluated on the gates' rows.

    Attributes
    ----------
    name, version : str
        Name of the model and its version; the first digits of the digest where it has none.
    digest : str
        Digest of the bundle.
    schema : Schema
        Columns of the model's rows, with their roles.
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        Task of the model.
    classes : tuple
        Labels in the order of the scores.
    threshold : float or None
        Score from which the positive class is predicted.
    value_matrix : ValueMatrix or None
        Value of each outcome.
    predictor : Predictor
        The opened model.
    reference : ReferenceCounts
        Counts of its training data.
    model_bytes : int
        Size of the model's files.
    reported_metrics : mapping of str to mapping of str to float
        Estimates that the bundle contains, by evaluator and metric.
    table : Table or None
        The request's rows with a known target, as this model takes them.
    output : Output or None
        The model's predictions for these rows.
    metrics : mapping of str to mapping of str to Metric
        Metrics on these rows, by evaluator and metric.
    not_measured_because : str
        Reason why nothing was measured; empty otherwise.

    """

    name: str
    version: str
    digest: str
    schema: Schema
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
    """The origin of a bundle as the ledger records it.

    Attributes
    ----------
    lineage : {"pipeline", "declared", "unknown"}
        ``pipeline``: the ``dvc.lock`` of a commit contains its digest. ``declared``: its
        author stated where it comes from.
    commit : str or None
        Commit of the code, if the working tree was clean.
    signed_by : str or None
        Signer of the registration, if the key is allowed to sign.
    attested : bool or None
        Whether a rebuild gave the same bytes; None without a rebuild.
    params_edited : bool
        Whether ``params.yaml`` of the commit holds other values than lockgate composed from
        ``conf/``.
    problem : str
        Why the lineage is unknown, although a registration names a commit; empty otherwise.

    """

    lineage: str = "unknown"
    commit: str | None = None
    signed_by: str | None = None
    attested: bool | None = None
    params_edited: bool = False
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class JudgeRequest(Request):
    """A candidate for a stage, to be judged by a gate.

    Attributes
    ----------
    candidate : EvaluatedBundle
        The bundle to be promoted.
    incumbent : EvaluatedBundle or None
        The bundle in the stage now, measured on the same rows in the same run.
    stage : str
        Name of the stage.
    rows : DataFrame or None
        The rows as they were read, with all columns, in the order of the tables.
    today : DataFrame or None
        Recent rows, for gates that check for drift.
    origin : BundleOrigin
        Origin of the candidate.

    """

    candidate: EvaluatedBundle
    incumbent: EvaluatedBundle | None = None
    stage: str = "prod"
    rows: pd.DataFrame | None = None
    today: pd.DataFrame | None = None
    origin: BundleOrigin = BundleOrigin()


@dataclass(frozen=True)
class GateResult:
    """Result of a gate.

    Attributes
    ----------
    passed : bool or None
        None where the gate does not apply, e.g. without an incumbent; it then blocks nothing.
    message : str
        The reason, with metrics and units; where it failed, what would pass.
    metrics : mapping of str to float
        Measured values by name.
    nondeterministic : bool
        Whether the result depends on the machine and the time of measuring, as latency does.

    """

    passed: bool | None
    message: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    nondeterministic: bool = False

    def __post_init__(self) -> None:
        """Reject values that a verdict cannot record."""
        kind = type(self.passed)
        if kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"):
            # comparing NumPy numbers gives its own booleans, which JSON cannot hold
            object.__setattr__(self, "passed", bool(self.passed))
        if not (self.passed is None or isinstance(self.passed, bool)):
            raise TypeError(f"passed is {self.passed!r}, expected True, False or None")
        if not self.message.strip():
            raise ValueError("a gate result needs a message that gives the reason")
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"{name} is {value!r}, expected a finite number; leave out undefined metrics"
                )
