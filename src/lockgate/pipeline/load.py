"""The stage ``load``: from a loader's table to train, tune and test rows."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np

from lockgate.contract.recipes import UNSUPERVISED
from lockgate.contract.tables import Splits, Table
from lockgate.data.cell_checks import check_cell_rules
from lockgate.data.column_checks import check_columns
from lockgate.data.columns.categories import category_text
from lockgate.data.conform import conform_to_selection
from lockgate.data.copies import check_copies
from lockgate.data.duplicates import drop_duplicates
from lockgate.data.row_rules import apply_row_rules
from lockgate.data.schema import fit_schema
from lockgate.data.split_checks import check_classes, check_split
from lockgate.data.splits import resolve_method, split_rows
from lockgate.data.task import infer_task
from lockgate.data.uninformative import drop_uninformative
from lockgate.errors import UsageError
from lockgate.modeling.baselines import fit_baselines
from lockgate.modeling.statistics.histograms import count_all_columns
from lockgate.modeling.training.estimators import find_positive
from lockgate.pipeline.data_contract import load_checked
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import Workspace, to_plain

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Load a table, split its rows, and apply the row rules to the training rows."""
    sections = stage.sections
    loader = stage.parameters.single("loader").name
    loaded, contract = load_checked(stage)
    labelled, unlabelled_count = conform_to_selection(loaded, sections.data)
    distinct, duplicate_count = drop_duplicates(labelled, sections.rows)
    parts = split_rows(distinct, sections.split, sections.project.seed)
    split_method = resolve_method(distinct, sections.split)
    schema = parts.train.schema
    known = Table(parts.train.frame[list(schema.names)], schema)  # without what is left out
    train, dropped_counts = apply_row_rules(known, sections.rows)
    (train, tune, test), reasons = drop_uninformative(
        train, (parts.tune, parts.test), sections.data
    )
    for reason in reasons:
        stage.log.warning("%s", reason)
    task = infer_task(labelled, sections.project.task)
    infer_task(train, task)  # the row rules may have left a single class
    supervised = task not in UNSUPERVISED
    try:
        labels = train.target if supervised else np.zeros(0)
        positive = find_positive(labels, task, sections.data.positive)
    except UsageError as error:
        raise UsageError(f"data.positive: {error}") from None
    with_role = set(schema.names) - {column.name for column in schema.features}
    schema = fit_schema(train)
    check_cell_rules(schema, sections.cells, sections.data.leave_out)
    warnings = check_columns(train, task, sections.search.folds, loader)
    warnings += check_copies(parts, loader)
    warnings += check_split(parts, split_method, loader)
    for warning in warnings:
        stage.log.warning("%s", warning)
    if task in ("binary", "multiclass"):
        check_classes(Splits(train, tune, test))
    counts = {
        "no target": unlabelled_count,
        "duplicates": duplicate_count,
        **parts.dropped,
        **dropped_counts,
    }
    facts = {
        "schema": dataclasses.asdict(schema),
        "task": task,
        "positive": positive,
        "split": split_method,
        "rows": {"loaded": len(loaded), "train": len(train), "tune": len(tune), "test": len(test)},
        "rows_left_out": {reason: n for reason, n in counts.items() if n},
        "columns_left_out": reasons,
        "warnings": warnings,
        "baselines": msgspec.to_builtins(fit_baselines(train, tune, task) if supervised else []),
        "columns": to_plain(count_all_columns(parts.train.frame, with_role)),
        "source": loaded.digest,
        "contract": None if contract is None else contract.plain(),
    }
    tables = {"train": train, "tune": tune, "test": test}
    left_out = parts.test.frame.drop(columns=test.frame.columns)
    Workspace(stage.root).write_tables(tables, left_out, facts)
    stage.log.info(
        "%d rows: %d train, %d tune, %d test (split by %s); %d features, %s",
        len(loaded),
        len(train),
        len(tune),
        len(test),
        split_method,
        len(schema.features),
        task,
    )
    if task == "binary":
        is_positive = train.frame[schema.target].map(category_text) == positive
        _log_positive(stage, schema.target, positive, is_positive.mean())
    for reason, n in counts.items():
        if n:
            stage.log.info("left out %d rows: %s", n, reason)
    return {name: float(len(table)) for name, table in tables.items()}


def _log_positive(stage: Stage, target: object, positive: str | None, share: float) -> None:
    stage.log.info(
        "%s: the positive class is %s, %.3g%% of the training rows; another: lockgate run "
        "data.positive=CLASS",
        target,
        positive,
        100 * share,
    )
