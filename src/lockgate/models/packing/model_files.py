"""Writes fitted models with the format that was chosen, and checks what was written."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.plugin import hooks_of
from lockgate.contract.prediction import ModelFiles, OpenRequest, WriteRequest
from lockgate.errors import NotCovered, PluginFailed, UsageError
from lockgate.models.bundle.manifest import MANIFEST, NEEDED
from lockgate.models.bundle.open_format import model_of, open_model
from lockgate.models.bundle.table_model import TableModel
from lockgate.models.converters.parity import Parity, check_parity, compare
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

__all__ = ["check_written", "format_host", "save", "task_of", "write_model"]

RESERVED = (MANIFEST, *NEEDED, "card.md", "facts.json")
"""Names of files that every bundle, or the folder of a finished model, has."""

COMPARED_ALONE = 16
"""Rows that are also predicted alone, in another order, and again."""

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def format_host(name: str) -> Host:
    """Return a host with the format of that name, which must be able to write models.

    Raises
    ------
    UnknownPlugin
        If it is not installed.
    UsageError
        If it only opens models.

    """
    plugin = Catalogue.installed().find("format", name).load()
    if "write" not in hooks_of(plugin):
        raise UsageError(f"format {name} opens models, and cannot write them; choose another")
    host = Host("pack")
    host.register("format", name, plugin())
    return host


def task_of(estimator: BaseEstimator, target_count: int = 1) -> tuple[str, tuple[Any, ...]]:
    """Return what an estimator that was fitted on so many targets predicts, and its classes."""
    from sklearn.base import is_classifier

    from lockgate.modeling.training.estimators import (
        detects_anomalies,
        get_classes,
        predicts_clusters,
    )

    if predicts_clusters(estimator):
        return "clustering", get_classes(estimator)
    if detects_anomalies(estimator):
        return "anomaly", get_classes(estimator)
    try:
        classifies = is_classifier(estimator)
    except (AttributeError, TypeError):  # not one of scikit-learn's classes
        classifies = hasattr(estimator, "classes_")
    if not classifies:
        return ("multioutput" if target_count > 1 else "regression"), ()
    classes = get_classes(estimator)
    return ("binary" if len(classes) == 2 else "multiclass"), classes


def write_model(host: Host, name: str, request: WriteRequest) -> ModelFiles:
    """Write a model with the format of that name.

    Raises
    ------
    NotCovered
        If the format cannot hold the model.
    PluginFailed
        If it fails, or returns files that no bundle can have.

    """
    try:
        written: ModelFiles = host.call("format", name, request, hook="write")
    except NotCovered as error:
        raise NotCovered(f"format {name}: {error}") from None
    if not written.files:
        raise PluginFailed(f"format {name} wrote no file")
    for file, raw in written.files.items():
        if not FILE_NAME.fullmatch(file) or file in RESERVED:
            raise PluginFailed(
                f"format {name} wrote a file named {file!r}; expected the name of a file without "
                f"a folder, other than {', '.join(RESERVED)}"
            )
        if not isinstance(raw, bytes):
            raise PluginFailed(
                f"format {name} wrote {file} as {type(raw).__name__}; expected bytes"
            )
    return written


def check_written(host: Host, name: str, request: WriteRequest, written: ModelFiles) -> Parity:
    """Open a written model, and compare its predictions with the estimator's.

    Raises
    ------
    NotCovered
        If a label differs, or a number by more than the tolerance.

    """
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        save(written.files, Path(folder))
        opening = OpenRequest(
            directory=Path(folder),
            files=tuple(sorted(written.files)),
            schema=written.schema or request.schema,
            task=request.task,
            classes=request.classes,
            resources=request.resources,
        )
        model = model_of(open_model(host, name, opening))
        if isinstance(model, PackedModel):
            return check_parity(request.estimator, model, request.features)
        parity = compare(request.estimator, model, request.features, written.tolerance)
        problem = _find_dependence(model, request.features[:COMPARED_ALONE], written.tolerance)
        if "score" not in model.outputs and hasattr(request.estimator, "predict_proba"):
            problem = "it predicts no scores, and the model does"
    if problem:
        raise NotCovered(f"format {name}: {problem}; choose another format")
    if parity.wrong:
        raise NotCovered(
            f"format {name}: predictions of the written model differ from the original's "
            f"({parity}; allowed: 0 and {written.tolerance:g}), e.g. {parity.example}; choose "
            "another format"
        )
    return parity


def _find_dependence(model: TableModel, rows: pd.DataFrame, tolerance: float) -> str:
    """Describe how predictions depend on more than their row; empty if they do not."""
    together = model.predict(rows)
    again, backwards = model.predict(rows), model.predict(rows[::-1])
    alone = [model.predict(rows[k : k + 1]) for k in range(len(rows))]
    for part in ("label", "score", "margin"):
        expected = getattr(together, part)
        if expected is None:
            continue
        others = {
            "differ when they are predicted again": getattr(again, part),
            "depend on the order of the rows": getattr(backwards, part)[::-1],
            "depend on other rows": np.concatenate([getattr(output, part) for output in alone]),
        }
        for problem, actual in others.items():
            if not _same(expected, actual, tolerance):
                return f"its predictions {problem} ({part})"
    return ""


def _same(expected: np.ndarray, actual: np.ndarray, tolerance: float) -> bool:
    if expected.dtype.kind == "f":
        return bool(np.allclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True))
    return bool((actual == expected).all())


def save(files: Mapping[str, Any], folder: Path) -> None:
    """Write the files of a model to a folder."""
    for file, raw in files.items():
        (folder / file).write_bytes(raw)
