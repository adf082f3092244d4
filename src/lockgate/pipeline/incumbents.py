"""Measures the versions that are in a stage of the registry on the test rows of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.contract.evaluation import EvaluateRequest
from lockgate.errors import BundleError, LedgerError, LockgateError
from lockgate.modeling.baselines import measure_output
from lockgate.models.comparison.comparable import Predicted, describe_mismatch

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.contract.prediction import Output
    from lockgate.models.bundle.open import Bundle

__all__ = ["measure_incumbents"]


def measure_incumbents(
    root: Path,
    name: str,
    request: EvaluateRequest,
    training_digest: str,
    on_status: Callable[[str], None],
) -> dict[str, dict[str, float]]:
    """Return the metrics of each version of the model that is in a stage, as far as it is here.

    Parameters
    ----------
    root : pathlib.Path
        Folder of the project.
    name : str
        Name of the model.
    request : EvaluateRequest
        The test rows, and what the new model is.
    training_digest : str
        sha256 of the rows that the new model was fitted on. A version that was fitted on others
        may have been fitted on test rows: its label says so.
    on_status : callable
        Called with the reason where a version cannot be compared.

    Returns
    -------
    dict of str to dict of str to float
        Metrics by ``incumbent VERSION in STAGE``; empty without a registry.

    """
    from lockgate.models.bundle.open import open_bundle
    from lockgate.registry.bundle_store import bundle_of
    from lockgate.registry.ledger.event_log import EventLog

    stages: dict[str, list[str]] = {}
    try:
        ledger = EventLog(root)
        state = ledger.state
        for stage in state.stages(name):
            if (in_stage := state.stage(name, stage)) is not None:
                stages.setdefault(in_stage.slot.version, []).append(stage)
    except LedgerError:  # no repository, or not to be read: commands of the registry say why
        return {}
    rows = request.table.frame if request.rows is None else request.rows
    measured = {}
    for version, in_stages in stages.items():
        label = f"incumbent {version} in {', '.join(in_stages)}"
        try:
            record = state.version(name, version)
            if record is None:
                raise BundleError("its record is missing")
            bundle = open_bundle(bundle_of(ledger.repository, record))
            manifest = bundle.manifest
            _check_comparable(bundle, request)
            if manifest.hashes.data != training_digest:
                label += ", fitted on other rows"
            output = _predict(bundle, rows, request.table.schema.targets)
            measured[label] = measure_output(
                output, request.table, request.task, request.classes, manifest.threshold
            )
        except LockgateError as error:
            on_status(f"not compared with the {label}: {error}")
    return measured


def _check_comparable(bundle: Bundle, request: EvaluateRequest) -> None:
    """Raise a BundleError if metrics of a bundle mean something else than those of the model."""
    manifest = bundle.manifest
    targets = request.table.schema.targets
    model = Predicted("the model", request.task, request.classes, targets, request.output.quantile)
    incumbent = Predicted("it", manifest.task, bundle.classes, bundle.targets, manifest.quantile)
    if mismatch := describe_mismatch(incumbent, model):
        raise BundleError(mismatch)
    if tuple(bundle.classes) != tuple(request.classes):
        raise BundleError(f"its classes are {', '.join(map(str, bundle.classes))}")


def _predict(bundle: Bundle, rows: pd.DataFrame, targets: tuple[str, ...]) -> Output:
    """Return predictions, the values of several targets in this order."""
    from lockgate.models.bundle.labelled_rows import table_of

    output = bundle.predict(table_of(bundle, rows).features)
    if bundle.targets == targets:
        return output
    columns = [bundle.targets.index(target) for target in targets]
    return dataclasses.replace(output, label=output.label[:, columns])
