"""What was declared that a model must reach, judged on the test rows for the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.contract.evaluation import EvaluateRequest, Metric, Report
from lockgate.contract.gates import EvaluatedBundle, JudgeRequest
from lockgate.contract.monitoring import ReferenceCounts
from lockgate.errors import NotMeasured
from lockgate.modeling.metrics.evaluator_metrics import declared_values, evaluator_metrics
from lockgate.plugins.host.gates import run_gate

if TYPE_CHECKING:
    from lockgate.pipeline.stage import Stage

__all__ = ["Criterion", "judge_criteria"]


@dataclass(frozen=True)
class Criterion:
    """Something that was declared, and whether the model reaches it.

    Attributes
    ----------
    met : bool
        Whether it does.
    text : str
        What it is, with the values.

    """

    met: bool
    text: str


def judge_criteria(
    stage: Stage, request: EvaluateRequest, reports: Mapping[str, Report]
) -> list[Criterion]:
    """Judge a model by its value of decisions, and by the gates that follow from metrics alone.

    Parameters
    ----------
    stage : Stage
        The stage, whose host has the gates.
    request : EvaluateRequest
        The test rows and predictions.
    reports : mapping of str to Report
        What evaluators measured on them.

    Returns
    -------
    list of Criterion
        Empty if nothing was declared.

    """
    criteria = [] if (value := _value_criterion(request)) is None else [value]
    judged = _judge_request(stage, request, reports)
    for choice in stage.parameters.chosen["gate"]:
        if not choice.in_report:
            continue
        try:
            result = run_gate(stage.host, choice.name, judged)
        except NotMeasured:  # the registry judges it, with more
            continue
        if result.passed is not None:
            stages = f" ({', '.join(choice.stages)})" if choice.stages else ""
            text = f"gate {choice.name}{stages}: {result.message}"
            criteria.append(Criterion(result.passed, text))
    return criteria


def _value_criterion(request: EvaluateRequest) -> Criterion | None:
    """Return whether decisions are worth more than the same for all rows; None without values."""
    measure = evaluator_metrics(
        "business",
        request.table,
        request.task,
        request.output,
        request.classes,
        request.threshold,
        declared_values(request.value_matrix),
    )
    if measure is None:
        return None
    value = measure(request.table.weight)
    others = {
        "acting on no row": value["per_1000_none"],
        "acting on every row": value["per_1000_all"],
    }
    best = max(others, key=others.__getitem__)
    gain = value["per_1000"] - others[best]
    return Criterion(
        gain > 0,
        f"decisions are worth {value['per_1000']:,.4g} per 1,000 rows, {gain:+,.4g} beside {best}",
    )


def _judge_request(
    stage: Stage, request: EvaluateRequest, reports: Mapping[str, Report]
) -> JudgeRequest:
    """Return what a gate is asked that needs metrics and rows alone."""
    metrics: dict[str, Mapping[str, Metric]] = {n: report.metrics for n, report in reports.items()}
    candidate = EvaluatedBundle(
        name=stage.sections.project.name,
        version="this model",
        digest="",
        schema=request.table.schema,
        task=request.task,
        classes=request.classes,
        threshold=request.threshold,
        value_matrix=request.value_matrix,
        predictor=request.predictor,
        reference=ReferenceCounts(()),
        model_bytes=request.model_bytes,
        reported_metrics={},
        table=request.table,
        output=request.output,
        metrics=metrics,
    )
    return JudgeRequest(**stage.request_context(), candidate=candidate, rows=request.rows)
