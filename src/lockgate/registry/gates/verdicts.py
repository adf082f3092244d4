"""Runs all gates on a candidate and its incumbent, and returns their verdict."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lockgate._version import __version__
from lockgate.contract.evaluation import ValueMatrix
from lockgate.contract.gates import BundleOrigin, EvaluatedBundle, GateResult, JudgeRequest
from lockgate.data.schema import compute_digest
from lockgate.errors import LockgateError, NotMeasured
from lockgate.models.bundle.evaluation import (
    default_evaluators,
    estimates,
    model_bytes,
    predict_and_evaluate,
)
from lockgate.models.bundle.labelled_rows import table_of
from lockgate.models.bundle.open import Bundle
from lockgate.plugins.host.gates import run_gate
from lockgate.plugins.host.host import Host
from lockgate.plugins.host.plugin_choice import PluginChoice
from lockgate.plugins.host.provider import identify_provider
from lockgate.registry.gates.policy import LoadedPolicy
from lockgate.registry.provenance.verdict import GateRecord, Incumbent, Verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run_gates"]


def run_gates(
    candidate: Bundle,
    incumbent: Bundle | None,
    policy: LoadedPolicy,
    *,
    stage: str,
    versions: tuple[str, str | None],
    in_stage: Incumbent | None = None,
    origin: BundleOrigin,
    rows: pd.DataFrame | None = None,
    without_rows: str = "no evaluation rows: pass --data FILE",
    today: pd.DataFrame | None = None,
    on_status: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Run all gates, even after one that failed.

    Parameters
    ----------
    candidate : Bundle
        The bundle to judge.
    incumbent : Bundle or None
        The bundle to compare with; None for no bundle.
    policy : LoadedPolicy
        The gates.
    stage : str
        The stage.
    versions : tuple of str
        Versions of candidate and incumbent.
    in_stage : Incumbent or None
        What is in the stage now, which the verdict names; None if it is empty.
    origin : BundleOrigin
        Where the candidate comes from.
    rows : DataFrame, optional
        Evaluation rows with a known target; both are measured on them.
    without_rows : str
        Why there are none, where there are none.
    today : DataFrame, optional
        Recent rows.
    on_status : callable
        Called with a description of each step.

    Raises
    ------
    NotMeasured
        If a gate needs rows, and there are none.

    """
    evaluate = functools.partial(
        _evaluate_bundle,
        policy=policy,
        rows=rows,
        without_rows=without_rows,
        value_matrix=candidate.manifest.value_matrix,
        on_status=on_status,
    )
    request = JudgeRequest(
        candidate=evaluate(candidate, versions[0]),
        incumbent=None if incumbent is None else evaluate(incumbent, str(versions[1])),
        stage=stage,
        rows=rows,
        today=today,
        origin=origin,
    )
    host = Host(f"gate {stage}")
    records = []
    for gate in policy.gates:
        on_status(f"gate {gate.name}")
        host.register("gate", gate.name, gate.build())
        result = _run_gate(host, gate.name, request)
        records.append(_record(gate, result))
    return Verdict(
        name=candidate.manifest.name,
        stage=stage,
        bundle=candidate.digest,
        incumbent=in_stage,
        policy=policy.written.digest,
        rows=None if rows is None else compute_digest(rows, candidate.manifest.schema),
        passed=not any(record.refused for record in records),
        judged=tuple(records),
        made_with=f"lockgate {__version__}",
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _run_gate(host: Host, gate: str, request: JudgeRequest) -> GateResult:
    """Run one gate; where it was not measured, nothing is recorded."""
    try:
        return run_gate(host, gate, request)
    except NotMeasured as error:
        raise NotMeasured(f"gate {gate}: {error}; nothing was recorded") from None


def _record(gate: PluginChoice, result: GateResult) -> GateRecord:
    """Return what the verdict keeps, as plain values: NumPy's cannot be written as JSON."""
    return GateRecord(
        gate=gate.name,
        plugin=gate.entry.name,
        provider=identify_provider(gate.entry),
        passed=None if result.passed is None else result.passed is True,
        sentence=str(result.message),
        figures={str(name): float(value) for name, value in result.metrics.items()},
    )


def _evaluate_bundle(
    bundle: Bundle,
    version: str,
    policy: LoadedPolicy,
    rows: pd.DataFrame | None,
    without_rows: str,
    value_matrix: ValueMatrix | None,
    on_status: Callable[[str], None],
) -> EvaluatedBundle:
    manifest = bundle.manifest
    evaluated = EvaluatedBundle(
        name=manifest.name,
        version=version,
        digest=bundle.digest,
        schema=manifest.schema,
        task=manifest.task,  # type: ignore[arg-type]  # checked when it was packed
        classes=tuple(manifest.classes),
        threshold=manifest.threshold,
        value_matrix=manifest.value_matrix,
        predictor=bundle.predictor,
        reference=bundle.reference(),
        model_bytes=model_bytes(bundle),
        reported_metrics=estimates(bundle.metrics()),
        not_measured_because=without_rows,
    )
    if rows is None:
        return evaluated
    on_status(f"evaluating {manifest.name}@{version} on {len(rows)} rows")
    try:
        table = table_of(bundle, rows)
        evaluators = policy.evaluators or default_evaluators(manifest.task)
        output, metrics = predict_and_evaluate(bundle, table, evaluators, rows, value_matrix)
    except LockgateError as error:
        # not fatal: gates that need no rows can still judge the bundle
        return dataclasses.replace(
            evaluated, not_measured_because=f"{manifest.name}@{version}: {error}"
        )
    return dataclasses.replace(
        evaluated, table=table, output=output, metrics=metrics, not_measured_because=""
    )
