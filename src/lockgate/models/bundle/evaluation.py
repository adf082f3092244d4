"""Bundles on labelled rows: predictions and metrics."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.contract.evaluation import EvaluateRequest, Metric, ValueMatrix
from lockgate.contract.settings import check
from lockgate.contract.tables import Table
from lockgate.data.data_contract.counts import Violation
from lockgate.data.data_contract.row_checks import check_rows
from lockgate.errors import UsageError
from lockgate.modeling.metrics.losses import EVALUATORS
from lockgate.models.bundle.labelled_rows import read_rows, table_of
from lockgate.models.bundle.open import Bundle, open_bundle
from lockgate.models.bundle.open_format import model_of
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Evaluation",
    "MetricRequirement",
    "default_evaluators",
    "estimates",
    "evaluate_bundle",
    "model_bytes",
    "predict_and_evaluate",
]


def default_evaluators(task: str) -> dict[str, object]:
    """Return the default evaluator of a task, by its name."""
    name = EVALUATORS[task]
    return {name: Catalogue.installed().find("evaluator", name).load()()}


def predict_and_evaluate(
    bundle: Bundle,
    table: Table,
    evaluators: Mapping[str, object],
    rows: pd.DataFrame,
    value_matrix: ValueMatrix | None = None,
) -> tuple[Any, dict[str, dict[str, Metric]]]:
    """Predict rows, and evaluate the predictions.

    Parameters
    ----------
    bundle : Bundle
        The model.
    table : Table
        The rows as it takes them.
    evaluators : mapping of str to object
        Evaluators by name.
    rows : DataFrame
        The same rows with all columns that were read.
    value_matrix : ValueMatrix, optional
        Value of each outcome, for a bundle that has none.

    Returns
    -------
    tuple
        The predictions, and metrics by evaluator.

    """
    manifest = bundle.manifest
    output = bundle.predict(table.features)
    request = EvaluateRequest(
        predictor=bundle.predictor,
        table=table,
        output=output,
        task=manifest.task,  # type: ignore[arg-type]  # checked when it was packed
        classes=tuple(manifest.classes),
        threshold=manifest.threshold,
        value_matrix=manifest.value_matrix or value_matrix,
        model_bytes=model_bytes(bundle),
        rows=rows,
    )
    host = Host("evaluate")
    metrics: dict[str, dict[str, Metric]] = {}
    for name, plugin in evaluators.items():
        host.register("evaluator", name, plugin)
        metrics[name] = dict(host.call("evaluator", name, request).metrics)
    return output, metrics


def model_bytes(bundle: Bundle) -> int:
    """Return the size of a model's files."""
    return sum((bundle.path / name).stat().st_size for name in bundle.manifest.model)


def estimates(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return the estimates of a bundle's ``metrics.json``, by evaluator and metric."""
    return {
        evaluator: {key: float(metric["estimate"]) for key, metric in evaluator_metrics.items()}
        for evaluator, evaluator_metrics in metrics.items()
    }


@dataclasses.dataclass(frozen=True)
class MetricRequirement:
    """A bound that a metric must meet, e.g. ``classification.roc_auc>=0.75``.

    Examples
    --------
    >>> requirement = MetricRequirement.parse("regression.mae < 3")
    >>> requirement.is_met({"regression": {"mae": {"estimate": 2.5}}})
    True

    """

    evaluator: str
    metric: str
    operator: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> MetricRequirement:
        """Read a requirement; raise a `UsageError` if it is not valid."""
        match = re.fullmatch(r"([\w-]+)\.([\w-]+)\s*(>=|<=|>|<)\s*([-+\d.eE]+)", text.strip())
        try:
            if match is None:
                raise ValueError(text)
            evaluator, metric, operator, bound = match.groups()
            return cls(evaluator, metric, operator, float(bound))
        except ValueError:
            raise UsageError(
                f"requirement {text!r} is not valid: expected EVALUATOR.METRIC, an operator and a "
                "number, for example classification.roc_auc>=0.75"
            ) from None

    def is_met(self, metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> bool:
        """Whether the estimate meets the bound; raise a `UsageError` if the metric is unknown."""
        known = [f"{name}.{key}" for name, values in metrics.items() for key in values]
        requested = f"{self.evaluator}.{self.metric}"
        if requested not in known:
            raise UsageError(
                f"unknown metric {requested!r}{nearest(requested, known)}; "
                f"available: {', '.join(known) or 'none'}"
            )
        value = float(metrics[self.evaluator][self.metric]["estimate"])
        match self.operator:
            case ">=":
                return value >= self.bound
            case "<=":
                return value <= self.bound
            case ">":
                return value > self.bound
            case _:
                return value < self.bound


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics of a bundle, and the requirements that they do not meet.

    Attributes
    ----------
    bundle : Bundle
        The bundle, opened.
    metrics : dict
        By evaluator and metric: `estimate`, `low` and `high`.
    failed : tuple of str
        The requirements that are not met, as they were written.
    rows : int
        Number of rows that were evaluated, those with a target; 0 for the bundle's own metrics.
    violations : tuple of Violation
        What of these rows violates the data contract of the bundle; they count all the same.

    """

    bundle: Bundle
    metrics: dict[str, dict[str, Any]]
    failed: tuple[str, ...] = ()
    rows: int = 0
    violations: tuple[Violation, ...] = ()


def evaluate_bundle(
    bundle: Bundle | str | Path,
    data: str | Path | None = None,
    *,
    evaluators: Sequence[str] | Mapping[str, Mapping[str, Any]] = (),
    requirements: Sequence[str] = (),
) -> Evaluation:
    """Evaluate a bundle on a file or read its own metrics, and check requirements.

    Parameters
    ----------
    bundle : Bundle or path-like
        The bundle; a path is opened and checked first.
    data : path-like, optional
        CSV or Parquet file with the target; by default the metrics that were
        measured when the bundle was made.
    evaluators : sequence of str, or mapping of str to mapping
        Names of evaluators for `data`, or their settings by name, e.g.
        ``{"anomaly": {"known": "fraud"}}``; by default the one of the task.
    requirements : sequence of str
        E.g. ``classification.roc_auc>=0.75``.

    Raises
    ------
    BundleError
        If the bundle was changed, or its probe rows are predicted otherwise.
    SchemaViolation
        If the data lack a column or the target.
    UsageError
        If a requirement is not valid, or names an unknown metric.

    """
    parsed = {text: MetricRequirement.parse(text) for text in requirements}
    bundle, rows = bundle if isinstance(bundle, Bundle) else open_bundle(bundle), 0
    if data is None and evaluators:
        raise UsageError(f"evaluators {', '.join(evaluators)} need rows: pass a file of data")
    violations: tuple[Violation, ...] = ()
    if data is None:
        metrics = bundle.metrics()
    else:
        settings: Mapping[str, Mapping[str, Any]] = (
            evaluators if isinstance(evaluators, Mapping) else {name: {} for name in evaluators}
        )
        plugins = {name: _build_evaluator(name, values) for name, values in settings.items()}
        known = read_rows(Path(data), bundle.manifest.schema)
        table = table_of(bundle, known)
        rows = len(table)
        if (contract := bundle.input_contract) is not None:
            inputs = model_of(bundle.predictor).inputs
            violations = tuple(check_rows(contract, known, read_as=inputs).violations(contract))
        measured = predict_and_evaluate(
            bundle, table, plugins or default_evaluators(bundle.manifest.task), known
        )[1]
        metrics = {name: msgspec.to_builtins(values) for name, values in measured.items()}
    failed = tuple(text for text, needed in parsed.items() if not needed.is_met(metrics))
    return Evaluation(bundle, metrics, failed, rows, violations)


def _build_evaluator(name: str, values: Mapping[str, Any]) -> object:
    """Construct an evaluator; LockgateError for settings that it does not have."""
    plugin = Catalogue.installed().find("evaluator", name).load()
    return plugin(**check(plugin, values, f"evaluator.{name}"))
