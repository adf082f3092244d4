"""Assembles a bundle of a written model: its documents, its reference and its probe rows."""

from __future__ import annotations

import dataclasses
import numbers
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lockgate.contract.evaluation import EvaluateRequest
from lockgate.contract.prediction import ModelFiles, OpenRequest, Predictor
from lockgate.contract.recipes import TWO_CLASSES, UNSUPERVISED
from lockgate.contract.regions import PredictionRegion
from lockgate.contract.requests import numpy_backend
from lockgate.contract.tables import Table
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.data_contract.checked_table import check_contract
from lockgate.data.data_contract.rules import DataContract
from lockgate.errors import SchemaViolation, UsageError
from lockgate.modeling.metrics.losses import EVALUATORS
from lockgate.models.bundle.environment import environment_of
from lockgate.models.bundle.manifest import CONTRACT, MANIFEST, Hashes
from lockgate.models.bundle.open import Bundle, open_bundle
from lockgate.models.bundle.open_format import model_of, open_model
from lockgate.models.bundle.probes import probes_of
from lockgate.models.bundle.reference_row import make_reference_row
from lockgate.models.bundle.write import BundleContent, write_bundle
from lockgate.models.packing.card import render_card
from lockgate.models.packing.model_files import format_host, save
from lockgate.models.packing.target_order import check_target_order
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.models.bundle.open_format import Model

__all__ = ["assemble", "check_coverage", "check_threshold"]


def assemble(
    written: ModelFiles,
    table: Table,
    *,
    format: str,
    task: str,
    classes: tuple[Any, ...],
    path: Path,
    name: str,
    threshold: float | str | None = None,
    coverage: float | None = None,
    lineage: Mapping[str, str] | None = None,
    tune: Table | None = None,
    test: Table | None = None,
    contract: DataContract | None = None,
    warnings: Sequence[str] = (),
    array_columns: tuple[str, ...] = (),
    quantile: float | None = None,
) -> Bundle:
    """Write a bundle around the files of a model, and open it."""
    from lockgate.data.schema import fit_schema
    from lockgate.modeling.metrics.conformal import measure_table_region
    from lockgate.modeling.statistics.histograms import build_reference, select_monitored_output

    _refuse_other_folder(path)
    check_threshold(threshold, tune)
    check_coverage(coverage, tune)
    if contract is not None:
        for part, rows in (("the rows", table), ("rows of tune", tune), ("rows of test", test)):
            if rows is not None:
                _check_contract(contract, part, rows)
    schema = written.schema or fit_schema(table)
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        save(written.files, Path(folder))

        def open_written(score_threshold: float | None) -> Predictor:
            request = OpenRequest(
                directory=Path(folder),
                files=tuple(sorted(written.files)),
                schema=schema,
                task=task,
                classes=classes,
                threshold=score_threshold,
            )
            return open_model(format_host(format), format, request)

        model = model_of(open_written(None))
        if task == "multioutput":
            check_target_order(model, table)
        features = _accepted_rows(model, table)[[column.name for column in schema.features]]
        score_threshold = _choose_threshold(threshold, model, tune)
        predictor = open_written(score_threshold)
        output = predictor.predict(_accepted_rows(model, tune or table))
        region = None
        if coverage is not None:
            assert tune is not None  # it was checked
            tuned = predictor.predict(tune.frame)
            region = measure_table_region(tune, tuned, task, classes, float(coverage))
        metrics = {}
        if test is not None:
            metrics = _evaluate(predictor, test, score_threshold, region, quantile)
        reference = build_reference(
            features, schema, numpy_backend(), select_monitored_output(output, task, schema.targets)
        )
        declared = dict(lineage or {})
        card = render_card(
            name,
            model,
            schema,
            table,
            metrics=metrics,
            score_threshold=score_threshold,
            region=region,
            quantile=quantile,
            contract=contract,
            test_rows=0 if test is None else len(test),
            warnings=warnings,
            lineage=declared,
        )
        content = BundleContent(
            name,
            task,
            format,
            schema,
            classes,
            score_threshold,
            None,
            make_reference_row(model.inputs, features),
            written.files,
            {
                "reference.json": msgspec.to_builtins(reference),
                "probes.json": probes_of(features, schema, predictor, written.tolerance),
                "metrics.json": metrics,
                "card.md": card,
                **({} if contract is None else {CONTRACT: contract.plain()}),
            },
            Hashes(None, table.digest, {}, declared),
            environment_of(Catalogue.installed().find("format", format)),
            region,
            array_columns,
            quantile,
        )
        write_bundle(path, content)
    return open_bundle(path)


def _check_contract(contract: DataContract, part: str, table: Table) -> None:
    """Check rows that a model is packed with; its contract may have more columns."""
    names = [column.name for column in table.schema.features]
    without_rule = [name for name in names if name not in contract.columns]
    if without_rule and (contract.other_columns == "refuse" or without_rule == names):
        raise SchemaViolation(
            [
                f"the data contract has no rule for column {', '.join(without_rule[:5])}; add a "
                "rule, or `other_columns: ignore` where the others have rules"
            ]
        )
    known = msgspec.structs.replace(contract.select(table.schema.names), other_columns="ignore")
    if violations := check_contract(known, table):
        raise SchemaViolation([f"{part} violate the data contract", *map(str, violations)])


def check_threshold(threshold: float | str | None, tune: object) -> None:
    """Raise a `UsageError` for a threshold outside 0 to 1, or a rule without rows."""
    if isinstance(threshold, str) and threshold == "f1" and tune is not None:
        return
    if isinstance(threshold, str) or not (threshold is None or isinstance(threshold, (int, float))):
        raise UsageError(f"threshold={threshold!r}: expected a number, or 'f1' together with tune")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"threshold is {threshold}, expected a number from 0 to 1")


def check_coverage(coverage: object, tune: object) -> None:
    """Raise a `UsageError` for a share outside 0 to 1, or without rows to measure on."""
    if coverage is None:
        return
    if not isinstance(coverage, numbers.Real) or not 0 < float(coverage) < 1:
        raise UsageError(f"coverage is {coverage!r}, expected a number between 0 and 1")
    if tune is None:
        raise UsageError("coverage needs rows that the model was not fitted on: pass tune=(X, y)")


def _accepted_rows(model: Model, table: Table) -> pd.DataFrame:
    """Return the rows that the model does not reject."""
    rejected = RejectedRows()
    model.predict(table.frame, rejected=rejected)
    keep = np.ones(len(table), bool)
    keep[list(rejected.reasons)] = False
    return table.frame[keep]


def _refuse_other_folder(path: Path) -> None:
    """Raise an error if the path exists and is not a bundle or an empty folder."""
    if (
        path.exists()
        and not (path / MANIFEST).is_file()
        and (not path.is_dir() or any(path.iterdir()))
    ):
        raise UsageError(f"{path} exists and is not a bundle; choose another path")


def _choose_threshold(
    threshold: float | str | None, model: Model, tune: Table | None
) -> float | None:
    from lockgate.modeling.metrics.decisions import best_f1_threshold
    from lockgate.modeling.metrics.losses import class_indices

    if threshold is None:
        return None
    if model.task not in TWO_CLASSES or "score" not in model.outputs:
        raise UsageError("threshold needs a model with two classes and a probability")
    if isinstance(threshold, str) and tune is not None:
        score = model.predict(tune.frame).score
        return best_f1_threshold(class_indices(tune.target, model.classes) == 1, np.asarray(score))
    return float(threshold)


def _evaluate(
    predictor: Predictor,
    test: Table,
    threshold: float | None,
    region: PredictionRegion | None,
    quantile: float | None,
) -> dict[str, Any]:
    """Evaluate the model with the default evaluator of its task."""
    model = model_of(predictor)
    if model.task not in UNSUPERVISED and test.schema.target is None:
        return {}
    name = EVALUATORS[model.task]
    output = dataclasses.replace(predictor.predict(test.frame), quantile=quantile)
    output = output if region is None else region.attach(output)
    host = Host("pack")
    host.register("evaluator", name, Catalogue.installed().find("evaluator", name).load()())
    request = EvaluateRequest(
        predictor=predictor,
        table=test,
        output=output,
        task=model.task,  # type: ignore[arg-type]  # the bundle was checked
        classes=model.classes,
        threshold=threshold if threshold is not None else 0.5,
    )
    return {name: msgspec.to_builtins(host.call("evaluator", name, request).metrics)}
